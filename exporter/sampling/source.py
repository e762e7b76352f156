"""One question that is asked again and again: when, at what cost, and with what success."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from math import ceil

from exporter.kernel.errors import KernelError
from exporter.sampling.history.clock import SampleClock, stale_after

# How much one more sample moves the running average of what a sample costs.
_WEIGHT = 0.1


class SourceStats:
    """What sources have counted since this program started."""

    def __init__(self) -> None:
        """Start at zero."""
        self.samples = 0
        self.missed = 0
        self.errors: Counter[str] = Counter()

    def add(self, other: SourceStats) -> None:
        """Take in what another has counted."""
        self.samples += other.samples
        self.missed += other.missed
        self.errors += other.errors


class Source(SourceStats):
    """A source of one namespace. Times are monotonic seconds unless they are called timestamps.

    `take` does the work and is given the time; it raises KernelError. `pending` tells whether
    there is anything to ask, for a source that is not asked on every beat.
    """

    def __init__(
        self,
        name: str,
        netns: str,
        interval: float,
        take: Callable[[float], None],
        pending: Callable[[float], bool] | None = None,
    ) -> None:
        """Start due at once."""
        super().__init__()
        self.name = name
        self.netns = netns
        self.interval = interval
        self.interval_in_force = interval
        self.clock = SampleClock()
        self.due = float("-inf")
        self.cost = 0.0
        self.busy = True
        self.error: KernelError | None = None
        self.duration = 0.0
        self.timestamp = 0.0
        self._runs = 0
        self._take = take
        self._pending = pending
        # Tells the processor time that other processes have used for this source so far.
        self.external_cpu_seconds: Callable[[], float] = lambda: 0.0

    def run(self, now: float) -> None:
        """Take one sample if there is anything to ask, and note how it went."""
        self._move_due(now)
        self.busy = self._pending is None or self._pending(now)
        if not self.busy:
            return
        started, used = time.perf_counter(), time.thread_time() + self.external_cpu_seconds()
        try:
            self._take(now)
        except KernelError as error:
            self.fail(error)
        else:
            self.error = None
            self.samples += 1
            self.timestamp = time.time()
        self.duration = time.perf_counter() - started
        self._note_cost(time.thread_time() + self.external_cpu_seconds() - used)

    def fail(self, error: KernelError) -> None:
        """Note that it could not be asked."""
        self.errors[error.reason] += 1
        self.error = error

    def set_interval(self, interval: float) -> None:
        """Take another interval, in seconds, from now on."""
        self.interval = self.interval_in_force = interval
        self.due = float("-inf")

    def requested_share(self) -> float:
        """Return the share of a core that this source would use at its own interval."""
        return self.cost / self.interval if self.busy else 0.0

    def limit_to(self, share: float) -> None:
        """Stretch the interval until the source fits into `share` of a core."""
        wanted = self.requested_share()
        # Whole beats, so that sources which are due together stay together and wake the thread once.
        beats = 1 if wanted <= share else ceil(wanted / share)
        self.interval_in_force = self.interval * beats

    def set_min_interval(self, interval: float) -> None:
        """Stretch the interval to at least this, in seconds."""
        self.interval_in_force = max(self.interval, interval)

    def healthy(self, now: float) -> bool:
        """Tell whether the newest sample succeeded and is young enough to be shown."""
        if self.error is not None:
            return False
        if self._pending is not None and not self.busy:
            return True
        return now - self.clock.now <= stale_after(self.interval_in_force)

    def _move_due(self, now: float) -> None:
        """Set the next beat. Beats that have passed are counted, and never caught up."""
        if self.due == float("-inf"):
            self.due = now
        passed = max(0, int((now - self.due) // self.interval_in_force))
        self.missed += passed
        self.due += (passed + 1) * self.interval_in_force

    def _note_cost(self, seconds: float) -> None:
        # The first one pays for what later ones have ready.
        self._runs += 1
        if self._runs > 1:
            self.cost = self.cost + _WEIGHT * (seconds - self.cost) if self.cost else seconds
