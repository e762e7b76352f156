"""Finds which of many sets of prefixes overlap: those in which one prefix begins with one of the other set.

So do networks, as the bits that their IPs begin with, and patterns, as the text before their first wildcard.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence


class PrefixIndex:
    """Sets of prefixes, known by their positions. An empty set overlaps with every other one."""

    def __init__(self, prefixes: Sequence[Collection[str]]) -> None:
        self._prefixes = prefixes
        self._empty = [position for position, each in enumerate(prefixes) if not each]
        self._by_prefix: dict[str, list[int]] = defaultdict(list)
        for position, each in enumerate(prefixes):
            for prefix in each:
                self._by_prefix[prefix].append(position)
        self._sorted = sorted(self._by_prefix)
        self._lengths = sorted({len(prefix) for prefix in self._sorted})
        self._longer: dict[str, list[int]] = {}

    def overlapping(self, position: int) -> list[Sequence[int]]:
        """Return the positions of the sets that overlap with this one, as lists in ascending order.

        It is among them itself, and any may be in several lists.
        """
        prefixes = self._prefixes[position]
        if not prefixes:
            return [range(len(self._prefixes))]
        return [self._empty, *(found for prefix in prefixes for found in self._of_prefix(prefix))]

    def _of_prefix(self, prefix: str) -> list[list[int]]:
        lengths = self._lengths[: bisect_right(self._lengths, len(prefix))]
        beginnings = (prefix[:length] for length in lengths)
        found = [self._by_prefix[each] for each in beginnings if each in self._by_prefix]
        return [*found, self._beginning_with(prefix)]

    def _beginning_with(self, prefix: str) -> list[int]:
        """Return the positions of longer prefixes; looked up once, since many may ask for the same."""
        if prefix not in self._longer:
            first = bisect_right(self._sorted, prefix)
            end = bisect_right(self._sorted, prefix, first, key=lambda each: each[: len(prefix)])
            longer = self._sorted[first:end]
            self._longer[prefix] = sorted(position for each in longer for position in self._by_prefix[each])
        return self._longer[prefix]
