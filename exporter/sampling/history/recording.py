"""What samples saw of one queue in the last minutes: its changes."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, Self

_UNKNOWN: Final = -1
# Of a change: its time, the length and the ratio.
CHANGE_BYTES: Final = 8 + 4 + 4


class Change(NamedTuple):
    """What was found at `at`, in monotonic seconds, and again by each sample until the next change.

    `length` is in connections, `ratio` the share of what the queue holds, of the fullest socket; None where
    samples could not tell, or the listener was gone.
    """

    at: float
    length: int | None
    ratio: float | None


class Recording:
    """The changes of one queue, in the order of time, in 16 bytes each."""

    __slots__ = ("_lengths", "_ratios", "_times")

    def __init__(
        self, times: Iterable[float] = (), lengths: Iterable[int] = (), ratios: Iterable[float] = ()
    ) -> None:
        self._times = array("d", times)
        self._lengths = array("i", lengths)
        self._ratios = array("f", ratios)

    def __len__(self) -> int:
        """Return the number of changes."""
        return len(self._times)

    def __iter__(self) -> Iterator[Change]:
        """Return the changes, the oldest first."""
        for at, length, ratio in zip(self._times, self._lengths, self._ratios, strict=True):
            yield Change(at, None if length == _UNKNOWN else length, None if math.isnan(ratio) else ratio)

    def add(self, at: float, length: int | None, ratio: float | None) -> bool:
        """Take what a sample found, and return whether that was a change."""
        number = _UNKNOWN if length is None else length
        stored = math.nan if ratio is None else ratio
        # Of one length the ratio differs where a backlog was changed, or another socket is the fullest.
        if self._lengths and self._lengths[-1] == number and _equal(self._ratios[-1], stored):
            return False
        self._times.append(at)
        self._lengths.append(number)
        self._ratios.append(stored)
        return True

    def newest(self) -> float:
        """Return the time of the newest change; the recording has one."""
        return self._times[-1]

    def at_rest(self) -> bool:
        """Tell whether the queue is empty since the newest change, or not known."""
        return self._lengths[-1] <= 0

    def highest_ratio(self) -> float:
        """Return the highest ratio of all changes, 0 where none is known."""
        return max((ratio for ratio in self._ratios if not math.isnan(ratio)), default=0.0)

    def forget_before(self, time: float) -> None:
        """Forget what was no longer the case at `time`."""
        self.forget_oldest(bisect_right(self._times, time) - 1)

    def forget_oldest(self, number: int) -> None:
        """Forget so many changes."""
        if number > 0:
            for each in (self._times, self._lengths, self._ratios):
                del each[:number]

    def between(self, begin: float, end: float) -> Self:
        """Return a copy of the changes from that which was the case at `begin` until `end`."""
        first = max(0, bisect_right(self._times, begin) - 1)
        after = bisect_right(self._times, end)
        return type(self)(self._times[first:after], self._lengths[first:after], self._ratios[first:after])


def _equal(one: float, other: float) -> bool:
    # What is kept is rounded to single precision.
    return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))
