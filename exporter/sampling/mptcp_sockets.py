"""Which sockets of a namespace are MPTCP's, as far as that was asked."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet

from exporter.kernel.records import Listener
from exporter.listeners.group import ListenerGroup


class MptcpSockets:
    """What is known of sockets, by their inodes. `version` grows whenever that changes."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.version = 0
        self._known: dict[int, bool] = {}

    def take(self, listeners: Collection[Listener], mptcp: AbstractSet[int]) -> AbstractSet[int]:
        """Take all listeners that there are, and the inodes of those that are MPTCP's.

        Returns the inodes of those that were not taken for that before, or were taken for it wrongly.
        """
        before = {inode for inode, is_mptcp in self._known.items() if is_mptcp}
        self._known = {listener.inode: listener.inode in mptcp for listener in listeners}
        self.version += 1
        return before ^ mptcp

    def count(self, group: ListenerGroup) -> int | None:
        """Return how many sockets of a group are MPTCP's; None where that is not known of one of them."""
        known = [self._known.get(member.listener.inode) for member in group.members.values()]
        return None if None in known else sum(map(bool, known))

    def any_of(self, group: ListenerGroup) -> bool:
        """Tell whether a socket of a group is known to be MPTCP's."""
        return any(self._known.get(member.listener.inode) for member in group.members.values())
