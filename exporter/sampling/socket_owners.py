"""What is known of the owners of sockets in one network namespace, and where it puts the sockets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.listeners.group import ListenerGroup
from exporter.listeners.registry import GroupIdentity
from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER, Owner, SocketOwner
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.mptcp_sockets import MptcpSockets

# The most owners of one listener that are told apart.
_MAX_OWNERS: Final = 64
_PROCESS: Final = "process"


@dataclass(frozen=True, slots=True)
class GroupOwners:
    """The owners of a group that differ in anything, the one that counts first, and two other facts."""

    owners: tuple[Owner, ...]
    mptcp: bool
    stale_path: bool


class SocketOwners:
    """The owners of sockets by their cookies."""

    def __init__(self, labels: Collection[str], mptcp: MptcpSockets) -> None:
        """Take the facts about owners that series have."""
        self._labels = labels
        self._mptcp = mptcp
        self._owners: dict[int, SocketOwner] = {}

    def set_labels(self, labels: Collection[str]) -> None:
        """Take other facts about owners that series have."""
        self._labels = labels

    def take(self, owners: Mapping[int, SocketOwner]) -> None:
        """Take what is known of sockets."""
        self._owners.update(owners)

    def forget(self, cookies: Iterable[int]) -> None:
        """Forget sockets that closed."""
        for cookie in cookies:
            self._owners.pop(cookie, None)

    def identities(self, group: ListenerGroup) -> dict[int, GroupIdentity]:
        """Return where the sockets of a group belong, as far as their programs are known.

        Those that no process holds belong to none of the programs that the others have.
        """
        known, identities = self._known(group), {}
        named = _PROCESS in self._labels
        for cookie, each in known:
            if each.owner.process:
                address = each.address or group.members[cookie].listener.address
                program = each.owner.process if named else ""
                identities[cookie] = GroupIdentity(group.key._replace(address=address), program)
        if identities and named:
            unknown = GroupIdentity(group.key, "")
            identities |= {cookie: unknown for cookie, each in known if not each.has_holder}
        return identities

    def of(self, group: ListenerGroup) -> GroupOwners | None:
        """Return the owners of a group, None where none of its sockets was searched for yet."""
        known = [known for _, known in self._known(group)]
        if not known:
            return None
        owners = tuple(dict.fromkeys(each.owner for each in known))[:_MAX_OWNERS]
        return GroupOwners(owners, self._mptcp.any_of(group), any(each.stale_path for each in known))

    def tell_apart(self, listeners: Iterable[ListenerState]) -> None:
        """Give listeners at one place whose labels would be equal addresses that differ.

        The one that the path leads to, or that is the oldest, keeps the plain address.
        """
        by_labels: dict[tuple[str, ...], list[ListenerState]] = {}
        for state in listeners:
            owner = state.owner or UNKNOWN_OWNER
            labels = tuple(fact.of(owner) for fact in OWNER_FACTS if fact.name in self._labels)
            by_labels.setdefault(labels, []).append(state)
        for states in by_labels.values():
            first, *others = sorted(states, key=lambda state: (state.stale_path, _inode(state.group)))
            first.set_address(first.group.key.address)
            for state in others:
                state.set_address(f"{state.group.key.address} (inode {_inode(state.group)})")

    def _known(self, group: ListenerGroup) -> list[tuple[int, SocketOwner]]:
        """Return what is known of the sockets of a group, the owner that counts first."""
        known = [(cookie, self._owners[cookie]) for cookie in group.members if cookie in self._owners]
        return sorted(known, key=lambda each: each[1].order)


def _inode(group: ListenerGroup) -> int:
    return min(member.listener.inode for member in group.members.values())
