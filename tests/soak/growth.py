"""Whether anything grew while the load stayed the same."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

# In the first fifth caches fill; the last fifth is compared with the second.
_FIFTHS: Final = 5
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Reading:
    """What the exporter has, `at` in seconds since the load began.

    Memory is the sum of PSS of all its processes in bytes (proc_pid_smaps(5)), and so are descriptors and
    threads theirs. `log_lines` are those written since its start.
    """

    at: float
    memory: int
    descriptors: int
    threads: int
    series: int
    log_lines: int


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must not grow: `before` and `after` as they are printed."""

    what: str
    before: str
    after: str
    allowed: str
    passed: bool

    def line(self) -> str:
        """Return a line of the table."""
        outcome = "ok" if self.passed else "FAILED"
        return f"{self.what:32}{self.before:>14}{self.after:>14}{self.allowed:>16}  {outcome}"


def compare(readings: Sequence[Reading]) -> list[Check]:
    """Compare the last fifth of the readings with the second. Raises ValueError where there are too few.

    A leak raises the least that a time shows, where clients and listeners that come and go raise the most.
    The memory of Python goes up and down in steps, so its middle counts.
    """
    size = len(readings) // _FIFTHS
    if size < 2:
        raise ValueError(f"{len(readings)} readings are too few to tell growth")
    before, after = readings[size : 2 * size], readings[-size:]
    return [bound.check(before, after) for bound in _BOUNDS]


@dataclass(frozen=True, slots=True)
class _Bound:
    """By how much a value may grow."""

    what: str
    allowed: float
    value: Callable[[Sequence[Reading]], float]
    decimals: int = 0

    def check(self, before: Sequence[Reading], after: Sequence[Reading]) -> Check:
        """Compare two parts of a run."""
        old, new = self.value(before), self.value(after)
        allowed = f"at most +{self._text(self.allowed)}"
        return Check(self.what, self._text(old), self._text(new), allowed, passed=new <= old + self.allowed)

    def _text(self, value: float) -> str:
        return f"{value:.{self.decimals}f}"


def _middle_memory(part: Sequence[Reading]) -> float:
    return statistics.median(each.memory for each in part) / _MIB


def _lines_a_minute(part: Sequence[Reading]) -> float:
    seconds = part[-1].at - part[0].at
    return (part[-1].log_lines - part[0].log_lines) / seconds * 60


_BOUNDS: Final = (
    _Bound("memory, MiB", 8, _middle_memory, decimals=1),
    _Bound("descriptors", 8, lambda part: min(each.descriptors for each in part)),
    _Bound("threads", 2, lambda part: min(each.threads for each in part)),
    _Bound("series", 60, lambda part: min(each.series for each in part)),
    _Bound("log lines a minute", 10, _lines_a_minute),
)
