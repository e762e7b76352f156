"""Sets of whole numbers, as inclusive ranges in ascending order that neither overlap nor touch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Ranges = tuple[tuple[int, int], ...]


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the ranges in ascending order, those that overlap or touch as one."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return tuple(result)


def covers(outer: Ranges, inner: Ranges) -> bool:
    """Return whether every number of `inner` is in `outer`."""
    return all(_contains(outer, first, last) for first, last in inner)


def _contains(ranges: Ranges, first: int, last: int) -> bool:
    index = bisect_right(ranges, first, key=lambda each: each[0]) - 1
    return index >= 0 and last <= ranges[index][1]


def overlap(one: Ranges, other: Ranges) -> bool:
    """Return whether there is a number in both."""
    few, many = sorted((one, other), key=len)
    return any(_meets(many, first, last) for first, last in few)


def _meets(ranges: Ranges, first: int, last: int) -> bool:
    index = bisect_right(ranges, last, key=lambda each: each[0]) - 1
    return index >= 0 and first <= ranges[index][1]


def blocks(ranges: Ranges) -> Iterator[tuple[int, int]]:
    """Yield the fewest blocks that make up the ranges, each as its width in bits and its number.

    Block `number` has all n with n >> width == number, as a CIDR has all IPs with the same prefix.
    """
    for start, last in ranges:
        first = start
        while first <= last:
            width = (last - first + 1).bit_length() - 1
            if first:
                width = min(width, (first & -first).bit_length() - 1)
            yield width, first >> width
            first += 1 << width
