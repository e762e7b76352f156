"""Half-open connections of each listener, counted by the cheaper of two methods.

A dump of all connections is always right and costs what the host has of connections. The reference counts
of the listeners cost what the host has of listeners, and rest on how the kernel keeps them; so they are
compared with a dump now and then, and a listener where the two disagree is counted by dumps alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from exporter.kernel.errors import UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.procfs.refcount import RefCount
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.records import Endpoint, Method
from exporter.listeners.group import ListenerGroup
from exporter.listeners.matching import Matcher
from exporter.sampling.clock import Clock

REFCOUNT: Final = "refcount"
# How long the reference counts are used without a dump to compare them with.
CALIBRATE_SECONDS: Final = 15.0
# The same while a listener is counted by dumps alone.
DISAGREED_SECONDS: Final = 2.0
# A dump that costs less than this is not worth replacing, and to read reference counts may cost more.
_MIN_DUMP_COST_SECONDS: Final = 0.001
# A listener holds one reference to itself, an MPTCP listener another, a BPF map one more.
_MAX_OWN_REFERENCES: Final = 4

Counts = dict[ListenerGroup, int]


class SynRecvDump(Protocol):
    """Counts half-open connections by a dump of all connections (exporter.kernel.syn_recv_reader)."""

    fallback: MethodFallback

    def read(self, now: float) -> Mapping[Endpoint, int]:
        """Return how many there are at each endpoint. Raises KernelError."""


class RefCounts(Protocol):
    """Reads the reference counts of listeners (exporter.kernel.procfs.refcount)."""

    def read(self, listeners: Mapping[int, int]) -> Mapping[int, RefCount]:
        """Return them by inode, for so many listeners of each address family. Raises KernelError."""


class SynRecvCounter:
    """Counts the half-open connections of one namespace.

    `disagreements` counts how often reference counts and a dump told different numbers at a listener.
    """

    def __init__(self, dump: SynRecvDump, ref_counts: RefCounts, activity: TcpActivity, clock: Clock) -> None:
        """Take both methods, and what tells that no segment came in, so that nothing can be new."""
        self.disagreements = 0
        self._dump = dump
        self._ref_counts = ref_counts
        self._activity = activity
        self._clock = clock
        self._none_left = False
        self._unmatched = 0
        self._last_counts: Counts = {}
        # What the reference counts told last, and from what, so that the same is not computed again.
        self._counted: tuple[Matcher, Mapping[int, RefCount], Counts] | None = None
        self._own_references: dict[ListenerGroup, int] = {}
        self._dump_only: Counts = {}
        self._dump_cost = 0.0
        # None where they may not be read, or were not read yet.
        self._ref_count_cost: float | None = None
        # When to compare again, None for at the next count.
        self._calibrate_at: float | None = None
        self._used_ref_counts = False

    @property
    def method(self) -> str:
        """How the kernel was asked last: `sock_diag`, `procfs` or `refcount`."""
        return REFCOUNT if self._used_ref_counts else self._dump.fallback.method

    def count(self, now: float, matcher: Matcher) -> tuple[Counts, int]:
        """Return the half-open connections of each group, and how many fit none. Raises KernelError.

        `now` is in monotonic seconds. Groups without any may be left out.
        """
        if self._none_left and self._activity.idle(now):
            return {}, 0
        self._none_left = False
        counts = self._by_ref_counts(matcher) if self._may_use_ref_counts(now, matcher) else None
        self._used_ref_counts = counts is not None
        if counts is None:
            counts = self._by_dump(now, matcher)
        self._last_counts = counts
        self._none_left = not counts and not self._unmatched
        return counts, self._unmatched

    def _calibration_due(self, now: float) -> bool:
        return self._calibrate_at is None or now >= self._calibrate_at

    def _may_use_ref_counts(self, now: float, matcher: Matcher) -> bool:
        # Connections that fit no listener, as those of one that has just closed, are in a dump only.
        if self._unmatched or not self._last_counts.keys() <= matcher.groups:
            return False
        if self._dump.fallback.method is not Method.SOCK_DIAG or self._calibration_due(now):
            return False
        return self._ref_count_cost is not None and self._ref_count_cost < self._dump_cost

    def _by_dump(self, now: float, matcher: Matcher) -> Counts:
        worth_comparing = self._dump_cost > _MIN_DUMP_COST_SECONDS and self._calibration_due(now)
        calibrating = worth_comparing and self._dump.fallback.method is Method.SOCK_DIAG
        before = self._read_ref_counts(matcher) if calibrating else None
        started = self._clock.cpu()
        counts, self._unmatched = _match(self._dump.read(now), matcher)
        self._dump_cost = self._clock.cpu() - started
        after = self._read_ref_counts(matcher) if before is not None else None
        if before is not None and after is not None:
            self._compare(matcher, counts, before, after)
        if calibrating:
            self._calibrate_at = now + (DISAGREED_SECONDS if self._dump_only else CALIBRATE_SECONDS)
        return counts

    def _read_ref_counts(self, matcher: Matcher) -> Mapping[int, RefCount] | None:
        """Read them and note the cost; None where they may not be read."""
        started = self._clock.cpu()
        try:
            found = self._ref_counts.read(matcher.families)
        except UnavailableError:
            self._ref_count_cost = None
            return None
        self._ref_count_cost = self._clock.cpu() - started
        return found

    def _by_ref_counts(self, matcher: Matcher) -> Counts | None:
        """Count by references; None where they cannot be right, which a dump has to settle."""
        ref_counts = self._ref_counts.read(matcher.families)
        if self._counted is not None and self._counted[:2] == (matcher, ref_counts):
            return self._counted[2]
        counted: Counts = {}
        for group in matcher.groups:
            count = self._dump_only.get(group)
            if count is None:
                own, unqueued = self._own_references.get(group), _unqueued_references(group, ref_counts)
                if own is None or unqueued is None or unqueued < own:
                    # The listener is new, or a SYN cookie made a connection that waits.
                    self._calibrate_at = None
                    return None
                count = unqueued - own
            if count:
                counted[group] = count
        self._counted = (matcher, ref_counts, counted)
        return counted

    def _compare(
        self,
        matcher: Matcher,
        dumped: Counts,
        before: Mapping[int, RefCount],
        after: Mapping[int, RefCount],
    ) -> None:
        """Learn how many references of each group are no connections, or that its references tell nothing."""
        known, self._own_references, self._dump_only = self._own_references, {}, {}
        self._counted = None
        for group in matcher.groups:
            count = dumped.get(group, 0)
            candidates = [known[group]] if group in known else _candidates(len(group.members))
            own = _consistent(
                candidates, count, (_unqueued_references(group, before), _unqueued_references(group, after))
            )
            if own is None:
                self.disagreements += 1
                self._dump_only[group] = count
            else:
                self._own_references[group] = own


def _candidates(members: int) -> list[int]:
    """List how many references that are no connections a group may have."""
    return [each * members for each in range(1, _MAX_OWN_REFERENCES + 1)]


def _consistent(candidates: Sequence[int], count: int, unqueued: tuple[int | None, int | None]) -> int | None:
    """Choose the number of own references with which a dump's count lies between two reads of references."""
    first, second = unqueued
    if first is None or second is None:
        return None
    between = range(min(first, second), max(first, second) + 1)
    return next((own for own in candidates if own + count in between), None)


def _unqueued_references(group: ListenerGroup, ref_counts: Mapping[int, RefCount]) -> int | None:
    """Add up a group's references that no queued connection holds; None where one is not known."""
    total = 0
    for member in group.members.values():
        found = ref_counts.get(member.listener.inode)
        if found is None:
            return None
        total += found.held - found.accept_length
    return total


def _match(found: Mapping[Endpoint, int], matcher: Matcher) -> tuple[Counts, int]:
    """Add up by group what was found by endpoint; the second number is what fits no group."""
    counts: Counts = {}
    unmatched = 0
    for endpoint, count in found.items():
        group = matcher.find(endpoint)
        if group is None:
            unmatched += count
        else:
            counts[group] = counts.get(group, 0) + count
    return counts, unmatched
