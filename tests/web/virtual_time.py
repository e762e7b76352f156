"""An event loop whose clock does not depend on how busy the machine is.

Time is the processor time that the server in the loop has used, and what the loop would have slept. Clients
act between two steps of the loop, and take no time. So the server has a processor of its own, and a minute in
which it sleeps is over at once. The sockets are real.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_HOUR_SECONDS = 3600.0
_MIN_SLEEP_SECONDS = 1e-6


class Clients(Protocol):
    """What happens outside of the server."""

    def act(self, now: float) -> float:
        """Do what is due at this time, and return when there is something to do again."""
        ...


class VirtualClock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._slept = 0.0
        self._uncounted = time.thread_time()
        self._stopped_at: float | None = None

    def cpu(self) -> float:
        """The processor time of the server so far."""
        at = time.thread_time() if self._stopped_at is None else self._stopped_at
        return at - self._uncounted

    def now(self) -> float:
        """The time that has passed."""
        return self._slept + self.cpu()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._slept += seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let no time pass, whatever the block does."""
        begun = self._stopped_at = time.thread_time()
        try:
            yield
        finally:
            self._stopped_at = None
            self._uncounted += time.thread_time() - begun


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with this clock, and clients of what runs in it."""

    def __init__(self, clock: VirtualClock, clients: Clients) -> None:
        super().__init__(_Selector(clock, clients))
        self._clock_of_loop = clock

    def time(self) -> float:
        """The time of the clock."""
        return self._clock_of_loop.now()


class _Selector(selectors.EpollSelector):
    """Waits in virtual time."""

    def __init__(self, clock: VirtualClock, clients: Clients) -> None:
        super().__init__()
        self._clock = clock
        self._clients = clients

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        with self._clock.stopped():
            self._sleep(_HOUR_SECONDS if timeout is None else timeout)
        return super().select(0)

    def _sleep(self, seconds: float) -> None:
        now = self._clock.now()
        until = now + seconds
        due = self._clients.act(now)
        while now < until and not super().select(0):
            self._clock.sleep(max(min(until, due) - now, _MIN_SLEEP_SECONDS))
            now = self._clock.now()
            due = self._clients.act(now)
