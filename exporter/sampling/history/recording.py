"""What samples saw of one queue in the last minutes: its changes."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, Self

_UNKNOWN: Final = -1
# Of a change: its time, the length and the ratio.
CHANGE_BYTES: Final = 8 + 8 + 4


class Change(NamedTuple):
    """What was found at `at`, in monotonic seconds, and again by each sample until the next change.

    `length` is in connections, `ratio` the share of what the queue holds, of the fullest socket; None where
    samples could not tell, or the listener was gone.
    """

    at: float
    length: int | None
    ratio: float | None


class Recording:
    """The changes of one queue, in the order of time, in 20 bytes each.

    Before the first one the queue was empty, or what was in it is not known (`has_lost`).
    """

    __slots__ = ("_lengths", "_ratios", "_times", "has_lost")

    def __init__(
        self,
        times: Iterable[float] = (),
        lengths: Iterable[int] = (),
        ratios: Iterable[float] = (),
        *,
        has_lost: bool = False,
    ) -> None:
        self._times = array("d", times)
        self._lengths = array("q", lengths)
        self._ratios = array("f", ratios)
        self.has_lost = has_lost

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

    def highest_ratio(self, begin: float = -math.inf) -> float:
        """Return the highest ratio from `begin` on, 0 where none is known."""
        return _highest(self._ratios[self._in_force(begin) :]) or 0.0

    def highest_length(self, begin: float = -math.inf) -> int | None:
        """Return the greatest length from `begin` on, None where none is known."""
        highest = max(self._lengths[self._in_force(begin) :], default=_UNKNOWN)
        return None if highest == _UNKNOWN else highest

    def span_ratios(self, begin: float, span_seconds: float, count: int) -> list[float | None]:
        """Return the highest ratio in each of `count` spans of time from `begin` on.

        It is 0 in those before the first change, and None in those of which nothing is known.
        """
        times, ratios = self._times, self._ratios
        before = None if self.has_lost else 0.0
        found: list[float | None] = []
        after = 0
        for index in range(count):
            # What was found last before a span is the case at its beginning.
            first = bisect_right(times, begin + index * span_seconds, after) - 1
            after = bisect_left(times, begin + (index + 1) * span_seconds, after)
            found.append(_highest(ratios[max(first, 0) : after]) if after else before)
        return found

    def add_gap(self, begin: float, end: float | None) -> None:
        """Note that nothing is known of the time between two samples, which have no change in between.

        `end` is None where it is not over.
        """
        after = len(self) if end is None else bisect_right(self._times, end)
        if self.has_lost and not after:
            return
        if end is not None and (not after or self._times[after - 1] < end):
            in_force = (self._lengths[after - 1], self._ratios[after - 1]) if after else (0, 0.0)
            self._insert(after, end, *in_force)
        self._insert(bisect_right(self._times, begin), begin, _UNKNOWN, math.nan)

    def forget_before(self, time: float) -> None:
        """Forget what was no longer the case at `time`."""
        number = bisect_right(self._times, time) - 1
        if number > 0:
            self._remove(number)

    def lose_oldest(self, number: int) -> None:
        """Forget so many changes, of a time that is asked for."""
        self.has_lost = True
        self._remove(number)

    def between(self, begin: float, end: float) -> Self:
        """Return a copy of the changes from that which was the case at `begin` until `end`."""
        first = self._in_force(begin)
        after = bisect_right(self._times, end)
        return type(self)(
            self._times[first:after],
            self._lengths[first:after],
            self._ratios[first:after],
            has_lost=self.has_lost and not first,
        )

    def _insert(self, index: int, at: float, length: int, ratio: float) -> None:
        self._times.insert(index, at)
        self._lengths.insert(index, length)
        self._ratios.insert(index, ratio)

    def _remove(self, number: int) -> None:
        for each in (self._times, self._lengths, self._ratios):
            del each[:number]

    def _in_force(self, time: float) -> int:
        """Return the index of the change that was the case at `time`, or of the first."""
        return max(0, bisect_right(self._times, time) - 1)


def _highest(ratios: array[float]) -> float | None:
    # A comparison with NaN is false, so a NaN matters to max() only where it comes first.
    highest = max(ratios, default=math.nan)
    if math.isnan(highest):
        highest = max((ratio for ratio in ratios if not math.isnan(ratio)), default=math.nan)
    return None if math.isnan(highest) else highest


def _equal(one: float, other: float) -> bool:
    # What is kept is rounded to single precision.
    return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))
