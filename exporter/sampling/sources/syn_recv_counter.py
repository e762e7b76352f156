"""Half-open connections of each listener, counted by the cheaper of two methods.

A dump of all connections is always right, and costs what the host has of connections. The reference counts of
the listeners cost what the namespace has of listeners, unless it has no socket of their address family beside
them: after the last listener the kernel looks for the next socket, all through the same table (tcp_seq_next,
net/ipv4/tcp_ipv4.c). So both may be walks, of which all namespaces together may have a few
(exporter.sampling.walk_limit). Between two of them a namespace goes on with what can be told without one.

Where connections are redirected to transparent listeners, or several programs share a port, a dump needs the
reference counts to tell which (exporter.sampling.sources.syn_recv_match).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Final

from exporter.kernel.errors import UnavailableError
from exporter.kernel.records import Method
from exporter.listeners.group import ListenerGroup
from exporter.listeners.matching import Matcher
from exporter.sampling.clock import Clock
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.sources.family_references import FamilyReferences
from exporter.sampling.sources.listener_references import ListenerReferences, RefCounts
from exporter.sampling.sources.syn_recv_match import SynRecvCounts, match
from exporter.sampling.sources.syn_recv_readers import SynRecvReaders
from exporter.sampling.walk_limit import Claim, Need, WalkLimit

REFCOUNT: Final = "refcount"
# After this time a dump is to tell again what could be more than references tell.
RECHECK_SECONDS: Final = 15.0
# So long references are not tried again that could not be read.
_UNREADABLE_SECONDS: Final = 60.0


class SynRecvCounter:
    """Counts the half-open connections of one namespace. Times are monotonic seconds.

    `limited_seconds` is the processor time that the limit of walks accounts for.
    """

    def __init__(self, readers: SynRecvReaders, clock: Clock, walks: WalkLimit) -> None:
        """Take what the namespace is asked by, and the limit of all namespaces together."""
        self.limited_seconds = 0.0
        self._readers = readers
        self._clock = clock
        self._walks = walks
        self._references = ListenerReferences(readers.mptcp)
        self._families: dict[int, FamilyReferences] = {}
        self._matcher: Matcher | None = None
        self._unreadable_until = 0.0
        self._last = SynRecvCounts({})
        # Whether a listener has closed since the last dump whose connections now fit none.
        self._closed = False
        # Whether it is certain that none was left, and how often SYN-ACKs had been sent again then.
        self._none_left = False
        self._repeats_of_none: int | None = None
        # When no figure was older, when a dump told them, and when they were asked for.
        self._known_at = self._dumped_at = self._asked_at = 0.0
        self._used_ref_counts = False

    @property
    def method(self) -> str:
        """How the kernel is asked: `sock_diag`, `procfs` or `refcount`."""
        return REFCOUNT if self._used_ref_counts else self._readers.dump.fallback.method

    @property
    def disagreements(self) -> int:
        """How often reference counts and a dump told different numbers at a listener, twice in a row."""
        return self._references.disagreements

    def count(self, now: float, matcher: Matcher) -> SynRecvCounts:
        """Return the half-open connections of each group. Raises KernelError."""
        # Until the next count as much time may pass as since the last.
        must_know = 2 * now - self._known_at - self._asked_at > STALE_SECONDS
        self._asked_at = now
        # Where sock_diag works, segments are counted: so the first time tells whether there was ever any.
        first = not self._known_at and self._walks.cost.latest is not None
        if (self._none_left or first) and self._readers.activity.idle(now):
            self._none_left = True
            self._known_at = now
            return SynRecvCounts({})
        self._none_left = False
        self._take(matcher)
        readable = self._readers.dump.fallback.method is Method.SOCK_DIAG and now >= self._unreadable_until
        cost = self._walks.cost.seconds(now) if readable else None
        self._used_ref_counts = (
            cost is not None
            and self._cheaper(cost, now)
            and self._by_ref_counts(now, matcher, must_know=must_know)
        )
        if not self._used_ref_counts:
            # Whoever counts first finds out what a dump costs.
            self._dump(now, matcher, limited=readable and cost is None)
        return self._last

    def _take(self, matcher: Matcher) -> None:
        """Take the listeners, where they are not those of the last time."""
        if matcher is self._matcher:
            return
        self._matcher = matcher
        self._closed |= not self._last.by_group.keys() <= matcher.groups
        self._references.keep(matcher.groups)
        known, self._families = self._families, {}
        for number, sockets in matcher.families.items():
            family = known.get(number) or FamilyReferences(number, self._readers.ref_counts, self._clock)
            family.take(matcher.groups_of(number), sockets)
            self._families[number] = family

    def _cheaper(self, dump: float, now: float) -> bool:
        """Tell whether to read references rather than to dump all connections, which costs so much."""
        if self._walks.negligible(dump):
            return False
        return not self._walks.affordable(dump) or dump >= _cost(self._families.values(), now)

    def _by_ref_counts(self, now: float, matcher: Matcher, *, must_know: bool) -> bool:
        """Count by references, with a walk where one is needed and allowed; False where they are unreadable.

        With `must_know` figures that are not known now would be too old at the next count.
        """
        costly = [each for each in self._families.values() if not self._walks.affordable(each.cost.confirmed)]
        read = [each for each in self._families.values() if each not in costly]
        try:
            for family in read:
                family.read(now, self._references)
            self._last = self._merged(read)
            if self._closed or self._last.unmatched or any(family.counts.unclear for family in read):
                allowed = self._walks.allows(self, Claim(Need.UNKNOWN), now)
                if allowed or must_know:
                    self._dump(now, matcher, read, limited=True, overdue=not allowed)
            elif costly:
                self._search(now, matcher, read, costly, must_know=must_know)
            else:
                self._know(now)
                self._confirm(now, matcher)
        except UnavailableError:
            self._unreadable_until = now + _UNREADABLE_SECONDS
            return False
        return True

    def _merged(self, read: Collection[FamilyReferences]) -> SynRecvCounts:
        """Return what the references of these families tell, and for other listeners what was known last."""
        counts: dict[ListenerGroup, int] = {}
        for family in self._families.values():
            kept = family.counts.unclear if family in read else family.groups
            counts |= {group: count for group, count in self._last.by_group.items() if group in kept}
            if family in read:
                counts |= family.counts.by_group
        return SynRecvCounts(counts, self._last.unmatched)

    def _search(
        self,
        now: float,
        matcher: Matcher,
        read: Collection[FamilyReferences],
        costly: Collection[FamilyReferences],
        *,
        must_know: bool,
    ) -> None:
        """Find out about families of which the references cost as much as a walk, where that is allowed."""
        repeats = self._readers.syn_repeats()
        if repeats is not None and repeats == self._repeats_of_none and not self._last.by_group:
            # A SYN-ACK is sent again after a second, so none has been half-open for longer.
            self._known_at, must_know = now, False
        allowed = self._walks.allows(self, Claim(Need.UNKNOWN), now)
        if not allowed and not must_know:
            return
        if _cost(costly, now) < (self._walks.cost.seconds(now) or 0.0):
            for family in costly:
                self._note(family.read(now, self._references), now, overdue=not allowed)
            everything = self._families.values()
            self._last = self._merged(everything)
            if not any(family.counts.unclear for family in everything):
                self._know(now)
        else:
            self._dump(now, matcher, read, limited=True, overdue=not allowed)
        if self._none_left:
            self._repeats_of_none = repeats

    def _know(self, now: float) -> None:
        """Note that references have told all figures."""
        self._known_at = now
        proven = all(family.counts.proven for family in self._families.values())
        self._none_left = proven and not self._last.by_group

    def _confirm(self, now: float, matcher: Matcher) -> None:
        """Dump all connections where references may tell too few or too many, and that is allowed."""
        families = self._families.values()
        unconfirmed = sum(family.counts.unconfirmed for family in families)
        if unconfirmed:
            claim = Claim(Need.UNCONFIRMED, unconfirmed)
        elif now - self._dumped_at > RECHECK_SECONDS and not all(family.counts.proven for family in families):
            claim = Claim(Need.RECHECK)
        else:
            self._walks.withdraw(self)
            return
        if self._walks.allows(self, claim, now):
            self._dump(now, matcher, families, limited=True)

    def _dump(
        self,
        now: float,
        matcher: Matcher,
        read: Collection[FamilyReferences] = (),
        *,
        limited: bool = False,
        overdue: bool = False,
    ) -> None:
        """Count by a dump of all connections, and compare it with the references that were read before.

        `limited` where the limit of walks accounts for it, `overdue` where that did not allow it.
        """
        before = [(family, family.held) for family in read]
        started = self._clock.cpu()
        try:
            found = self._readers.dump.read(now)
        finally:
            seconds = self._clock.cpu() - started
            if limited:
                self._note(seconds, now, overdue=overdue)
        if self._readers.dump.fallback.method is Method.SOCK_DIAG:
            self._walks.cost.measured(seconds, now)
        ambiguous = bool(found) and (bool(matcher.transparent) or matcher.any_sharing)
        held = self._read_again(now, self._families.values() if ambiguous else read)
        self._last = counts = match(found, matcher, partial(self._references.syn_recv, held))
        for family, held_before in before:
            self._references.compare(family.groups, counts.by_group, held_before, family.held, now)
        self._closed = False
        self._known_at = self._dumped_at = now
        self._none_left = not counts.by_group and not counts.unmatched

    def _read_again(self, now: float, families: Collection[FamilyReferences]) -> RefCounts:
        """Read the references of these after a dump; none where they are unreadable."""
        try:
            for family in families:
                family.read(now, self._references)
        except UnavailableError:
            return {}
        return {inode: held for family in families for inode, held in family.held.items()}

    def _note(self, seconds: float, now: float, *, overdue: bool) -> None:
        self.limited_seconds += seconds
        self._walks.note(seconds, now, overdue=overdue)


def _cost(families: Collection[FamilyReferences], now: float) -> float:
    """Return what it costs to read these, in seconds, as far as it was measured lately."""
    return sum(family.cost.seconds(now) or 0.0 for family in families)
