"""Which listener the half-open connections that a dump found belong to.

Their rows have the address and the port that the client asked for, and nothing of a listener. So those that
TPROXY redirected fit none, or another one. How many a transparent listener has is told by its references:
each half-open connection holds one (exporter.kernel.procfs.refcount).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from exporter.kernel.records import Endpoint
from exporter.listeners.group import ListenerGroup
from exporter.listeners.matching import Matcher

# How many half-open connections hold a reference to a group; None where that cannot be read.
HalfOpenReferences = Callable[[ListenerGroup], int | None]


@dataclass(frozen=True, slots=True)
class SynRecvCounts:
    """Half-open connections by listener, and how many fit none. Listeners without any may be left out.

    Of the listeners in `unknown` it is not known how many they have.
    """

    by_group: Mapping[ListenerGroup, int]
    unmatched: int = 0
    unknown: frozenset[ListenerGroup] = field(default_factory=frozenset)


def match(found: Mapping[Endpoint, int], matcher: Matcher, references: HalfOpenReferences) -> SynRecvCounts:
    """Add up by group what a dump found at each endpoint.

    `references` is asked only where there are transparent listeners, or several programs share an endpoint.
    """
    counts: Counter[ListenerGroup] = Counter()
    shared: Counter[frozenset[ListenerGroup]] = Counter()
    redirected: Counter[frozenset[ListenerGroup]] = Counter()
    unmatched = 0
    for endpoint, count in found.items():
        group = matcher.find(endpoint)
        if group is not None and (sharing := matcher.sharing(group)):
            shared[sharing] += count
        elif group is not None:
            counts[group] += count
        elif groups := matcher.redirected(endpoint):
            redirected[frozenset(groups)] += count
        else:
            unmatched += count
    unknown = _divide(counts, shared, references)
    if not matcher.transparent or not found:
        return SynRecvCounts(counts, unmatched, unknown)
    held = {group: references(group) for group in matcher.transparent}
    known = {group: count for group, count in held.items() if count is not None}
    if len(known) < len(held):
        result = _by_exclusion(counts, redirected, unmatched)
    else:
        result = _by_references(counts, redirected.total(), unmatched, known, references)
    return replace(result, unknown=result.unknown | unknown)


def _divide(
    counts: Counter[ListenerGroup],
    shared: Mapping[frozenset[ListenerGroup], int],
    references: HalfOpenReferences,
) -> frozenset[ListenerGroup]:
    """Divide what was found at endpoints that several programs share; return those of whom it is not known.

    References are read at another time than the dump, so that no more are given than were found.
    """
    unknown: set[ListenerGroup] = set()
    for groups, count in shared.items():
        held = Counter({group: own for group in groups if (own := references(group)) is not None})
        if len(held) < len(groups):
            unknown |= groups
            continue
        left = count
        for group, own in held.most_common():
            given = min(own, left)
            counts[group] += given
            left -= given
        # What has come since the references were read is of the one that has most.
        counts[held.most_common(1)[0][0]] += left
    return frozenset(unknown)


def _by_references(
    counts: Counter[ListenerGroup],
    redirected: int,
    unmatched: int,
    held: Mapping[ListenerGroup, int],
    references: HalfOpenReferences,
) -> SynRecvCounts:
    """Give transparent listeners what they hold, of those that fit no address; what is left is unmatched.

    What they hold beyond that was found at the address of another listener, which holds fewer than that.
    No more are given than were found: references are read at another time than the dump.
    """
    elsewhere = Counter(
        {
            group: counts[group] - own
            for group in counts.keys() - held.keys()
            if (own := references(group)) is not None and own < counts[group]
        }
    )
    missing = Counter({group: count - counts[group] for group, count in held.items()})
    left = redirected + elsewhere.total()
    for group, count in (+missing).most_common():
        given = min(count, left)
        counts[group] += given
        left -= given
    unmatched += max(0, left - elsewhere.total())
    moved = max(0, elsewhere.total() - left)
    for group, count in elsewhere.most_common():
        taken = min(count, moved)
        counts[group] -= taken
        moved -= taken
    return SynRecvCounts(+counts, unmatched)


def _by_exclusion(
    counts: Counter[ListenerGroup], redirected: Mapping[frozenset[ListenerGroup], int], unmatched: int
) -> SynRecvCounts:
    """Give those that fit no address to the one transparent listener that can have them, else to none."""
    unknown: set[ListenerGroup] = set()
    for groups, count in redirected.items():
        if len(groups) == 1:
            counts.update(dict.fromkeys(groups, count))
        else:
            unknown |= groups
            unmatched += count
    certain = {group: count for group, count in counts.items() if group not in unknown}
    return SynRecvCounts(certain, unmatched, frozenset(unknown))
