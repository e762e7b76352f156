"""What all processes of the exporter use of the processor, and what that leaves for sampling."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.sampling.average import averaged

# Over this time the use is compared with the budget.
WINDOW_SECONDS: Final = 30.0
# What was used in the first seconds is not: every namespace is found and opened, every owner searched for,
# and what a sample costs is not known.
START_SECONDS: Final = 10.0
# The budget counts as exceeded where more than this multiple of it was used: a sample more or less is not.
_EXCEEDED: Final = 1.1
# What the sampling thread uses beside samples is averaged; it counts half after this time.
_OVERHEAD_HALF_LIFE_SECONDS: Final = 2.0
# So do pages, and what samples used beyond their share: pages are asked for every few seconds, and so is what
# is asked of all namespaces at once. One second says little about either.
_STEADY_HALF_LIFE_SECONDS: Final = 10.0
# Samples keep this part of the budget, however much it takes to wake up and to find out what is due.
_MIN_PART: Final = 0.6
# The most that pages take from sampling, in parts of the budget: who scrapes often must not make it blind.
_MAX_PAGES_PART: Final = 0.3
# The most that one second counts for of what samples used beyond their share, and that is taken from the next
# one, in parts of the budget.
_MAX_EXCESS_PART: Final = 0.25


@dataclass(frozen=True, slots=True)
class CpuUse:
    """Processor time in seconds that was used until now.

    `samples` is that of all samples, with what the broker used for them; `sampling` that of the sampling
    thread and of the broker, samples included.
    """

    samples: float
    sampling: float


@dataclass(frozen=True, slots=True)
class CpuWindow:
    """What was used in the last 30 seconds, and what the budget was in that time, as shares of one core."""

    used: float
    budget: float

    @property
    def exceeded(self) -> bool:
        """Whether a tenth more than the budget was used."""
        return self.used > self.budget * _EXCEEDED


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was used until `time`, in monotonic seconds, and what might have been used of the budget."""

    time: float
    used: float
    allowed: float


class CpuBudget:
    """Compares the processor time of all processes with the budget. Shares are of one core.

    `window` is None until 30 seconds have passed since the start was over. `exceeded_seconds` adds up the
    seconds during which it was exceeded.
    """

    def __init__(self, clocks: Mapping[str, Callable[[], float]]) -> None:
        """Take, for each process, what tells its processor time in seconds."""
        self.window: CpuWindow | None = None
        self.exceeded_seconds = 0.0
        self._clocks = clocks
        # The shares that the sampling thread uses beside samples, and that everything else uses.
        self._overhead = 0.0
        self._pages = 0.0
        # The share that samples were given last, and what they used beyond it: their costs are estimates.
        self._given = 0.0
        self._excess = 0.0
        self._started: float | None = None
        self._newest = _Reading(0.0, 0.0, 0.0)
        # The readings of the last 30 seconds, and one from before.
        self._past: deque[_Reading] = deque()
        self._last = CpuUse(0.0, 0.0)

    def seconds(self) -> dict[str, float]:
        """Return the processor time of each process until now, in seconds."""
        return {process: clock() for process, clock in self._clocks.items()}

    def share_for_samples(self, budget: float, use: CpuUse, now: float) -> float:
        """Return what share of one core is left for samples of a `budget` for everything.

        `use` is the processor time used until `now`, in monotonic seconds. What samples used beyond the share
        that they were given before is taken off.
        """
        used = sum(self.seconds().values())
        if self._started is None:
            self._started = now
            self._newest, self._last = _Reading(now, used, 0.0), use
        passed = now - self._newest.time
        most = budget * _MAX_EXCESS_PART
        if passed > 0:
            sampling = use.sampling - self._last.sampling
            samples = use.samples - self._last.samples
            overhead = sampling - samples
            pages = used - self._newest.used - sampling
            pages, overhead = max(0.0, pages) / passed, max(0.0, overhead) / passed
            self._pages = averaged(self._pages, pages, passed, _STEADY_HALF_LIFE_SECONDS)
            self._overhead = averaged(self._overhead, overhead, passed, _OVERHEAD_HALF_LIFE_SECONDS)
            self._newest = _Reading(now, used, self._newest.allowed + budget * passed)
            self._last = use
            if now - self._started >= START_SECONDS:
                beyond = min(max(samples / passed - self._given, -most), most)
                self._excess = averaged(self._excess, beyond, passed, _STEADY_HALF_LIFE_SECONDS)
                self._compare(self._newest, passed)
        left = budget - self._overhead - min(self._pages, budget * _MAX_PAGES_PART)
        self._given = max(left, budget * _MIN_PART) - min(max(0.0, self._excess), most)
        return self._given

    def _compare(self, newest: _Reading, passed: float) -> None:
        self._past.append(newest)
        while len(self._past) > 1 and newest.time - self._past[1].time >= WINDOW_SECONDS:
            self._past.popleft()
        oldest = self._past[0]
        seconds = newest.time - oldest.time
        if seconds < WINDOW_SECONDS:
            return
        self.window = CpuWindow(
            (newest.used - oldest.used) / seconds, (newest.allowed - oldest.allowed) / seconds
        )
        if self.window.exceeded:
            self.exceeded_seconds += passed
