"""The listeners of one namespace and family, by socket and by key, with those that closed lately."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Final, NamedTuple

from exporter.kernel.records import Changes, Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import ListenerKey, key_of

# A service that restarts within this time continues its counters.
REMEMBER_SECONDS: Final = 300.0
# The most closed listeners that are kept: a program may listen on a new port again and again.
MAX_CLOSED: Final = 4096


class GroupIdentity(NamedTuple):
    """Where a socket belongs, as its owner tells: the program, and the key that follows from the address."""

    key: ListenerKey
    program: str


# The key of a listener, and what its sockets are bound to.
_Address = tuple[ListenerKey, Hashable]


class ListenerRegistry:
    """The groups of one namespace and protocol.

    Sockets with one key and one program are a group. The program is known only when the owner was found, so a
    new socket joins the group at its address, where there is one, until `assign` tells where it belongs.
    """

    def __init__(self, netns: str, protocol: str) -> None:
        self._netns = netns
        self._protocol = protocol
        self._by_cookie: dict[int, ListenerGroup] = {}
        # The groups that have a socket, by key and by what that is bound to.
        self._open: dict[ListenerKey, dict[Hashable, list[ListenerGroup]]] = {}
        # The groups without a socket by their keys, those that closed last at the end.
        self._closed: dict[ListenerKey, list[ListenerGroup]] = {}
        # When they lost their last one. The oldest is first, since a group that opens again is removed.
        self._closed_at: dict[ListenerGroup, float] = {}

    def apply(self, changes: Changes, now: float) -> list[ListenerGroup]:
        """Take what a sample changed (`now` in monotonic seconds) and return the groups that it concerns."""
        changed: dict[ListenerGroup, None] = {}
        for cookie in changes.closed:
            group = self._by_cookie.pop(cookie)
            address = _address_of(group)
            group.close(cookie)
            if not group.members:
                self._note_closed(address, group, now)
            changed[group] = None
        for listener, reading in changes.opened:
            group = self._group_for(listener)
            group.open(listener, reading, belongs=not group.program)
            self._by_cookie[listener.cookie] = group
            changed[group] = None
        for reading in changes.updated:
            group = self._by_cookie[reading.cookie]
            group.update(reading)
            changed[group] = None
        return list(changed)

    def assign(
        self, group: ListenerGroup, identities: Mapping[int, GroupIdentity], now: float
    ) -> list[ListenerGroup]:
        """Put the sockets of a group, by their cookies, where they belong; return the groups concerned.

        The identity that is named first is that of the group where its program is not known yet, unless there
        are sockets of no program, which stay in it. Sockets that are left out stay in the group. One that is
        left without a socket is kept as a closed one, or forgotten where its program was not known.
        """
        present = {cookie: identity for cookie, identity in identities.items() if cookie in group.members}
        first = next(iter(present.values()), None)
        own, named = GroupIdentity(group.key, group.program), bool(group.program)
        if first is not None and not group.program and own not in present.values():
            key, bound_to = _address_of(group)
            if self._find((first.key, bound_to), first.program) is None:
                self._open_remove((key, bound_to), group)
                group.set_identity(first.key, first.program)
                self._open_add((first.key, bound_to), group)
        changed = {group: None}
        for cookie, identity in present.items():
            if identity != (group.key, group.program):
                changed[self._move(cookie, group, identity, now, named=named)] = None
            else:
                group.confirm(cookie)
        return list(changed)

    def present(self, key: ListenerKey) -> list[ListenerGroup]:
        """Return the groups with this key that have a socket, one for each program and each file."""
        return [group for groups in self._open.get(key, {}).values() for group in groups]

    def expire(self, now: float) -> list[ListenerGroup]:
        """Remove the groups that closed REMEMBER_SECONDS ago, and the oldest of too many, and return them."""
        expired = []
        while self._closed_at:
            group, closed_at = next(iter(self._closed_at.items()))
            if now - closed_at <= REMEMBER_SECONDS and len(self._closed_at) <= MAX_CLOSED:
                break
            self._forget_closed(group)
            expired.append(group)
        return expired

    def listeners(self) -> Iterator[tuple[Listener, ListenerGroup]]:
        """Iterate over the sockets, each with its group."""
        return ((group.members[cookie].listener, group) for cookie, group in self._by_cookie.items())

    def _group_for(self, listener: Listener) -> ListenerGroup:
        """Return the group for a socket whose program is not known yet."""
        key = key_of(listener, self._netns, self._protocol)
        present = self._open.get(key, {}).get(listener.bound_to, [])
        if len(present) == 1:
            return present[0]
        # One that closed goes on when the socket turns out to be of its program: it may be another one's.
        candidates = present or self._closed.get(key, [])
        undecided = [group for group in candidates if not group.program]
        group = undecided[-1] if undecided else ListenerGroup(key)
        self._reopen((key, listener.bound_to), group)
        return group

    def _move(
        self, cookie: int, group: ListenerGroup, identity: GroupIdentity, now: float, *, named: bool
    ) -> ListenerGroup:
        address = _address_of(group)
        target_address = (identity.key, address[1])
        target = self._find(target_address, identity.program)
        if target is None:
            target = ListenerGroup(identity.key, identity.program)
        self._reopen(target_address, target)
        member = group.release(cookie, named=named)
        if not group.members and group.program:
            self._note_closed(address, group, now)
        elif not group.members:
            self._open_remove(address, group)
        target.open(member.listener, member.reading)
        self._by_cookie[cookie] = target
        return target

    def _find(self, address: _Address, program: str) -> ListenerGroup | None:
        """Return the group of a program at an address, or the one that closed last with its key."""
        key, bound_to = address
        groups = (*self._open.get(key, {}).get(bound_to, ()), *reversed(self._closed.get(key, ())))
        return next((group for group in groups if group.program == program), None)

    def _reopen(self, address: _Address, group: ListenerGroup) -> None:
        if group in self._closed_at:
            self._forget_closed(group)
        if not group.members:
            self._open_add(address, group)

    def _open_add(self, address: _Address, group: ListenerGroup) -> None:
        key, bound_to = address
        self._open.setdefault(key, {}).setdefault(bound_to, []).append(group)

    def _open_remove(self, address: _Address, group: ListenerGroup) -> None:
        key, bound_to = address
        self._open[key][bound_to].remove(group)
        if not self._open[key][bound_to]:
            del self._open[key][bound_to]
        if not self._open[key]:
            del self._open[key]

    def _note_closed(self, address: _Address, group: ListenerGroup, now: float) -> None:
        self._open_remove(address, group)
        self._closed.setdefault(group.key, []).append(group)
        self._closed_at[group] = now

    def _forget_closed(self, group: ListenerGroup) -> None:
        del self._closed_at[group]
        groups = self._closed[group.key]
        groups.remove(group)
        if not groups:
            del self._closed[group.key]


def _address_of(group: ListenerGroup) -> _Address:
    member = next(iter(group.members.values()))
    return group.key, member.listener.bound_to
