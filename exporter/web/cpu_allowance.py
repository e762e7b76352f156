"""How much processor time clients may cause."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

# What may be used at once after a quiet time.
_BURST_SECONDS: Final = 0.05
# The same of a part; the whole pays it back.
_PART_BURST_SECONDS: Final = 0.1
# No pause is longer, however much was used, unless it is said.
_MAX_PAUSE_SECONDS: Final = 0.25
# Debts are forgotten beyond what is earned in this time; of a part, in its longest pause.
_MAX_DEBT_SECONDS: Final = 5.0
# At the end of a pause there is enough for several requests: the first after it takes several times as much.
_QUANTUM_SECONDS: Final = 0.1


class CpuAllowance:
    """An account of processor time: `share()` of one core is earned, and what clients cause is spent.

    `share` is asked each time. `wall` and `cpu` are clocks, in seconds; `cpu` is that of the thread which
    calls the methods, and does nothing but to serve clients. With `only_noted` just that is spent which is
    noted or measured, of this thread or of others.
    """

    def __init__(  # noqa: PLR0913  (all but one have a default)
        self,
        share: Callable[[], float],
        wall: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
        max_pause_seconds: float = _MAX_PAUSE_SECONDS,
        burst_seconds: float = _BURST_SECONDS,
        *,
        only_noted: bool = False,
    ) -> None:
        self._share = share
        self._wall = wall
        self._cpu = cpu
        self._only_noted = only_noted
        self._max_pause_seconds = max_pause_seconds
        self._max_debt_seconds = max_pause_seconds if only_noted else _MAX_DEBT_SECONDS
        self._burst_seconds = self._balance = burst_seconds
        self._wall_at = wall()
        self._cpu_at: float | None = None

    def part(
        self,
        ratio: float,
        max_pause_seconds: float = _MAX_PAUSE_SECONDS,
        burst_seconds: float = _PART_BURST_SECONDS,
    ) -> Self:
        """Return an account that earns a part of what this one does, and spends what is noted in it alone."""
        return type(self)(
            lambda: self._share() * ratio,
            self._wall,
            self._cpu,
            max_pause_seconds,
            burst_seconds,
            only_noted=True,
        )

    def spend(self, seconds: float) -> None:
        """Note processor time that was used for a client."""
        self._balance -= seconds

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Note the processor time that this thread uses in the block."""
        before = self._cpu()
        try:
            yield
        finally:
            self.spend(self._cpu() - before)

    @property
    def available(self) -> bool:
        """Whether there is time for a client that wants more than its part."""
        return self._update() > 0.0

    def pause_seconds(self) -> float:
        """Return after how long there is time again, or one may be served without."""
        earned_in = max(0.0, -self._update() / self._share())
        return min(earned_in, self._max_pause_seconds) + _QUANTUM_SECONDS

    def _update(self) -> float:
        wall, share = self._wall(), self._share()
        balance = self._balance + (wall - self._wall_at) * share
        self._wall_at = wall
        if not self._only_noted:
            cpu = self._cpu()
            # At first the thread has done other things.
            balance -= 0.0 if self._cpu_at is None else cpu - self._cpu_at
            self._cpu_at = cpu
        self._balance = max(-share * self._max_debt_seconds, min(self._burst_seconds, balance))
        return self._balance
