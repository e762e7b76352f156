"""When a queue was nearly as full as at its fullest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

# A spike is the time in which a queue was at least this part as full as at its fullest.
_SPIKE_PART: Final = 0.5


class Spike(NamedTuple):
    """From when to when, in seconds of the clock of the changes, and how long the queue was at most."""

    begin: float
    end: float
    length: int


def spikes(changes: Iterable[Sequence[Any]], end: float) -> list[Spike]:
    """Return the spikes of a queue, the highest first.

    A change is a time, how many connections there were from then on, and more that is not read; None is not
    known. `end` is until when the last one holds.
    """
    known = [(float(change[0]), int(change[1] or 0)) for change in changes]
    peak = max((length for _, length in known), default=0)
    found: list[Spike] = []
    for (at, length), (until, _) in pairwise([*known, (end, 0)]):
        if not length or length < peak * _SPIKE_PART:
            continue
        if found and found[-1].end == at:
            last = found.pop()
            found.append(Spike(last.begin, until, max(last.length, length)))
        else:
            found.append(Spike(at, until, length))
    return sorted(found, key=lambda spike: (-spike.length, spike.begin))
