"""Half-open connections of each listener, counted the cheaper of two ways.

A walk over all connections is always right and costs what the host has of them. The reference counts
of the listeners cost what the host has of listeners, and rest on how the kernel keeps them; so they
are compared with a walk now and then, and a listener where the two disagree is left to the walks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from exporter.kernel.errors import UnavailableError
from exporter.kernel.procfs.refcount import RefCount
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.readers import SynRecvReader
from exporter.kernel.records import Endpoint, Method
from exporter.listeners.group import ListenerGroup
from exporter.listeners.matching import Matcher

REFCOUNT: Final = "refcount"
# How long the reference counts are believed without a walk beside them.
CALIBRATE_SECONDS: Final = 15.0
# The same while a listener is left to the walks, which then are its only figures.
DISAGREED_SECONDS: Final = 2.0
# Where a walk costs less than this there is little to gain, and to read references may cost more.
_WORTH_COMPARING_SECONDS: Final = 0.001
# A listener holds one reference to itself, an MPTCP listener another, a BPF map one more.
_MOST_OWN_REFERENCES: Final = 4

ReadReferences = Callable[[Mapping[int, int]], Mapping[int, RefCount]]
Counts = dict[ListenerGroup, int]


class SynRecvCounter:
    """Counts the half-open connections of one namespace; `disagreements` only grows."""

    def __init__(self, reader: SynRecvReader, ref_counts: ReadReferences, activity: TcpActivity) -> None:
        """Take the walk, the other way, and the gate that is shut while there can be nothing new."""
        self._reader = reader
        self._ref_counts = ref_counts
        self._activity = activity
        self._empty = False
        self._counted: tuple[Matcher, Mapping[int, RefCount], Counts] | None = None
        self._own: dict[ListenerGroup, int] = {}
        self._left_to_walks: Counts = {}
        self._walk_cost = 0.0
        self._reference_cost = float("inf")
        self._calibrate_at = float("-inf")
        self._unmatched = 0
        self.disagreements = 0
        self._referred = False

    @property
    def method(self) -> str:
        """How the kernel was asked last."""
        return REFCOUNT if self._referred else self._reader.fallback.method

    def count(self, now: float, matcher: Matcher) -> tuple[Counts, int]:
        """Return the half-open connections of each group, and how many fit none. Raises KernelError.

        `now` is in monotonic seconds. Groups with none may be left out.
        """
        if self._empty and self._activity.idle(now):
            return {}, 0
        self._empty = False
        counts = self._by_references(matcher) if self._trusts_references(now) else None
        self._referred = counts is not None
        if counts is None:
            counts = self._by_walk(now, matcher)
        self._empty = not counts and not self._unmatched
        return counts, self._unmatched

    def _trusts_references(self, now: float) -> bool:
        compared = self._reader.fallback.method is Method.SOCK_DIAG and now < self._calibrate_at
        return compared and self._reference_cost < self._walk_cost

    def _by_walk(self, now: float, matcher: Matcher) -> Counts:
        worth = self._walk_cost > _WORTH_COMPARING_SECONDS and now >= self._calibrate_at
        calibrating = worth and self._reader.fallback.method is Method.SOCK_DIAG
        before = self._timed_references(matcher) if calibrating else None
        started = time.thread_time()
        counts, self._unmatched = _match(self._reader.read(now), matcher)
        self._walk_cost = time.thread_time() - started
        after = self._timed_references(matcher) if before is not None else None
        if before is not None and after is not None:
            self._compare(matcher, counts, before, after)
        if calibrating:
            self._calibrate_at = now + (DISAGREED_SECONDS if self._left_to_walks else CALIBRATE_SECONDS)
        return counts

    def _timed_references(self, matcher: Matcher) -> Mapping[int, RefCount] | None:
        """Read the references and note the cost; where they may not be read, walks are all there is."""
        started = time.thread_time()
        try:
            found = self._ref_counts(matcher.families)
        except UnavailableError:
            self._reference_cost = float("inf")
            return None
        self._reference_cost = time.thread_time() - started
        return found

    def _by_references(self, matcher: Matcher) -> Counts | None:
        """Count by references; None where they cannot be right, which a walk has to settle."""
        ref_counts = self._ref_counts(matcher.families)
        if self._counted is not None and self._counted[:2] == (matcher, ref_counts):
            return self._counted[2]
        counted: Counts = {}
        for group in matcher.groups:
            count = self._left_to_walks.get(group)
            if count is None:
                own, excess = self._own.get(group), _excess(group, ref_counts)
                if own is None or excess is None or excess < own:
                    # The listener is new, or a SYN cookie made a connection that waits.
                    self._calibrate_at = float("-inf")
                    return None
                count = excess - own
            if count:
                counted[group] = count
        self._counted = (matcher, ref_counts, counted)
        return counted

    def _compare(
        self,
        matcher: Matcher,
        walked: Counts,
        before: Mapping[int, RefCount],
        after: Mapping[int, RefCount],
    ) -> None:
        """Learn each group's own references, or that its references tell something else."""
        known, self._own, self._left_to_walks = self._own, {}, {}
        self._counted = None
        for group in matcher.groups:
            count = walked.get(group, 0)
            seen = (_excess(group, before), _excess(group, after))
            own = _agreed([known[group]] if group in known else _likely(len(group.members)), count, seen)
            if own is None:
                self.disagreements += 1
                self._left_to_walks[group] = count
            else:
                self._own[group] = own


def _likely(members: int) -> list[int]:
    """List how many references that are no connections a group may have."""
    return [each * members for each in range(1, _MOST_OWN_REFERENCES + 1)]


def _agreed(candidates: Sequence[int], count: int, seen: tuple[int | None, int | None]) -> int | None:
    """Choose the own references with which a walk's count lies between two looks at the references."""
    first, second = seen
    if first is None or second is None:
        return None
    between = range(min(first, second), max(first, second) + 1)
    return next((own for own in candidates if own + count in between), None)


def _excess(group: ListenerGroup, ref_counts: Mapping[int, RefCount]) -> int | None:
    """Add up a group's references that no connection in its accept queues holds."""
    total = 0
    for member in group.members.values():
        found = ref_counts.get(member.listener.inode)
        if found is None:
            return None
        total += found.held - found.accept_length
    return total


def _match(found: Mapping[Endpoint, int], matcher: Matcher) -> tuple[Counts, int]:
    counts: Counts = {}
    unmatched = 0
    for endpoint, count in found.items():
        group = matcher.find(endpoint)
        if group is None:
            unmatched += count
        else:
            counts[group] = counts.get(group, 0) + count
    return counts, unmatched
