"""Half-open connections of listeners, told by how many references the kernel holds to each.

A listener has references of its own: one, an MPTCP listener two, one more in a BPF map. Each half-open
connection holds one, and each that waits for accept, unless a SYN cookie made it
(exporter.kernel.procfs.refcount). So what is beyond its own and those that wait is half-open, and no more
references than it must have of its own are a proof that nothing is. A dump of all connections tells which are
its own where that is not clear.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.kernel.procfs.refcount import RefCount
from exporter.listeners.group import ListenerGroup
from exporter.sampling.mptcp_sockets import MptcpSockets

# The most references of its own that a socket is thought to have.
_MAX_OWN: Final = 4
# Half-open connections outlive a socket that closes for so long at most, and a dump shows them where another
# socket listens now: by then their SYN-ACK was sent for the last time (tcp_synack_retries, ip-sysctl).
_OUTLIVE_SECONDS: Final = 64.0

RefCounts = Mapping[int, RefCount]


@dataclass(frozen=True, slots=True)
class SynRecvByReferences:
    """What references tell of several groups: half-open connections, of groups that have any.

    Of the groups in `unclear` they tell nothing. `unconfirmed` counts the connections of groups whose own
    references are taken to be the usual ones, and were never seen alone. Where it is not `proven`, there may
    be more than are told: one that a SYN cookie made, and that waits, makes up for a half-open one.
    """

    by_group: Mapping[ListenerGroup, int]
    unclear: frozenset[ListenerGroup]
    unconfirmed: int
    proven: bool


@dataclass(slots=True)
class _OwnReferences:
    """What is known of a group that has had these sockets since a monotonic time.

    `own` are its own references, seen alone or told by a dump. `suspected` is what a dump told that did not
    agree. Where it is not `trusted`, dumps did not agree again and again.
    """

    sockets: tuple[int, ...]
    since: float
    own: int | None = None
    suspected: int | None = None
    trusted: bool = True


class ListenerReferences:
    """What is known of the own references of the listeners of one namespace.

    `disagreements` counts how often references and a dump told different numbers at a second look too.
    """

    def __init__(self, mptcp: MptcpSockets) -> None:
        """Take what is known of MPTCP's sockets."""
        self.disagreements = 0
        self._mptcp = mptcp
        self._compared = 0
        self._known: dict[ListenerGroup, _OwnReferences] = {}

    @property
    def version(self) -> int:
        """A number that grows whenever the same references may tell another number than before."""
        return self._compared + self._mptcp.version

    def keep(self, groups: Collection[ListenerGroup]) -> None:
        """Forget what is known of other groups, and of those whose sockets have changed."""
        self._known = {
            group: known
            for group, known in self._known.items()
            if group in groups and known.sockets == tuple(group.members)
        }

    def count(
        self, groups: Collection[ListenerGroup], ref_counts: RefCounts, now: float
    ) -> SynRecvByReferences:
        """Tell how many half-open connections these groups have, whose references were read at `now`."""
        counts: dict[ListenerGroup, int] = {}
        unclear: set[ListenerGroup] = set()
        unconfirmed, proven = 0, True
        for group in groups:
            known = self._known.get(group)
            if known is None:
                known = self._known[group] = _OwnReferences(tuple(group.members), now)
            found = _add_up(group, ref_counts)
            count = None if found is None else self._syn_recv(group, known, *found)
            if found is None or count is None or known.suspected is not None or not known.trusted:
                unclear.add(group)
                continue
            if count:
                counts[group] = count
                unconfirmed += count if known.own is None else 0
            proven = proven and not count and not found[1]
        return SynRecvByReferences(counts, frozenset(unclear), unconfirmed, proven)

    def compare(
        self,
        groups: Collection[ListenerGroup],
        dumped: Mapping[ListenerGroup, int],
        before: RefCounts,
        after: RefCounts,
        now: float,
    ) -> None:
        """Learn from a dump at `now` which references are no connections; they were read before and after it.

        The groups were counted before.
        """
        self._compared += 1
        for group in groups:
            first, second = _add_up(group, before), _add_up(group, after)
            known = self._known.get(group)
            if known is None or first is None or second is None:
                continue
            least, most = sorted((first[0], second[0]))
            count, own = dumped.get(group, 0), self._own(group)
            if own is not None and least <= own + count <= most:
                known.own, known.suspected, known.trusted = own, None, True
            elif least == most:
                self._take(known, least - count, now)

    def syn_recv(self, ref_counts: RefCounts, group: ListenerGroup) -> int | None:
        """Return how many references of a group are half-open connections; None where one is not known."""
        found, own = _add_up(group, ref_counts), self._own(group)
        return None if found is None or own is None else max(0, found[0] - own)

    def _syn_recv(
        self, group: ListenerGroup, known: _OwnReferences, unqueued: int, waiting: int
    ) -> int | None:
        """Return what is beyond the own references; None where there are fewer than these."""
        told, sockets = self._own(group), len(group.members)
        # Each socket may be MPTCP's, as long as that is not known.
        own = min(max(unqueued, sockets), 2 * sockets) if told is None else told
        if unqueued == own and not waiting and (told is not None or unqueued == sockets):
            known.own = own
        return unqueued - own if unqueued >= own else None

    def _take(self, known: _OwnReferences, own: int, now: float) -> None:
        """Take what a dump tells of the own references, where it is not what was known."""
        sockets = len(known.sockets)
        possible = sockets <= own <= sockets * _MAX_OWN
        if own < sockets and now - known.since < _OUTLIVE_SECONDS:
            return
        again = known.suspected is not None and (known.suspected == own or not possible)
        self.disagreements += again
        if possible and (again or known.own is None):
            known.own, known.suspected, known.trusted = own, None, True
        else:
            known.suspected = own
            known.trusted = known.trusted and not again

    def _own(self, group: ListenerGroup) -> int | None:
        known = self._known.get(group)
        if known is not None and known.own is not None:
            return known.own
        mptcp = self._mptcp.count(group)
        return None if mptcp is None else len(group.members) + mptcp


def _add_up(group: ListenerGroup, ref_counts: RefCounts) -> tuple[int, int] | None:
    """Add up a group's references that no waiting connection holds, and the connections that wait.

    None where those of a socket are not known.
    """
    unqueued = waiting = 0
    for member in group.members.values():
        found = ref_counts.get(member.listener.inode)
        if found is None:
            return None
        unqueued += found.held - found.accept_length
        waiting += found.accept_length
    return unqueued, waiting
