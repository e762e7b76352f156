"""The first samples of network namespaces: their listeners come first, everything else a little at a time.

Without listeners a page looks as if there were none, and while the exporter starts there may be hundreds of
namespaces of which none was sampled yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from exporter.sampling.clock import Clock
from exporter.sampling.namespace_slot import NamespaceSlot
from exporter.sampling.source_runner import SourceRunner

# So long the other sources are asked in one tick, in which listeners of other namespaces are due.
_TICK_SECONDS: Final = 0.01

Report = Callable[[SourceRunner], object]


class FirstSamples:
    """The namespaces of which only the listeners were sampled yet, in that order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slots: dict[NamespaceSlot, None] = {}

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._slots)

    def sample(self, slot: NamespaceSlot, now: float, report: Report) -> None:
        """Sample a namespace, which is all of it but the first time."""
        for runner in slot.sample(now):
            report(runner)
        if slot.others_wait:
            self._slots[slot] = None

    def complete(self, now: float, report: Report) -> bool:
        """Ask the other sources of as many as a tick has time for; return whether some have to wait on."""
        until = self._clock.elapsed() + _TICK_SECONDS
        while self._slots and self._clock.elapsed() < until:
            slot = next(iter(self._slots))
            del self._slots[slot]
            if slot.remote.attached:
                for runner in slot.sample_others(now):
                    report(runner)
            else:
                # They are asked together with the listeners when it is attached again, unless it is gone.
                slot.ask_all_at_once()
                slot.schedule.run_now()
        return bool(self._slots)
