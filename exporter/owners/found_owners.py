"""Which owners of sockets were found, which are sought, and which hold their sockets for others."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from exporter.kernel.processes.process import Process
from exporter.kernel.records import Listener
from exporter.owners.cgroup_membership import parse_cgroup_membership
from exporter.owners.creation_cgroups import CreationCgroups
from exporter.owners.owner import SocketOwner
from exporter.owners.owner_details import FoundOwner, OwnerDetails
from exporter.owners.programs import Programs
from exporter.owners.socket_holders import is_init

# During a search a socket may be passed to another process (SCM_RIGHTS, or fork and exec by a service
# manager), so a socket without an owner is searched for a few times.
MAX_SEARCHES: Final = 3
# A socket that searches miss for so long is held by nobody. One that has closed is known until two samples
# lack it, which are 4 seconds apart at most.
_UNHELD_SECONDS: Final = 8.0

_parse_cgroup_membership = lru_cache(maxsize=1024)(parse_cgroup_membership)


class Held(enum.Enum):
    """Whether a search has found more sockets that are held for others."""

    NO_MORE = enum.auto()
    MORE = enum.auto()
    # By a process that the search did not know to do so.
    UNKNOWN_TO_SEARCH = enum.auto()


class FoundOwners:
    """The owners of sockets by inode; inodes are unique on a host, whatever the network namespace.

    `held` are the sockets whose owner opens sockets for others.
    """

    def __init__(self, programs: Programs, details: OwnerDetails, created: CreationCgroups) -> None:
        self.held: set[int] = set()
        self._programs = programs
        self._details = details
        self._created = created
        self._listeners: dict[int, Listener] = {}
        self._found: dict[int, FoundOwner] = {}
        # For each socket without an owner the number of searches that are left.
        self._searches_left: dict[int, int] = {}
        # Since when searches of all processes have missed a socket, and those that nobody holds.
        self._missed_since: dict[int, float] = {}
        self._unheld: set[int] = set()
        # Sockets that wait for the next search of all processes before they are named.
        self._awaited: set[int] = set()

    def set_sockets(self, listeners: Collection[Listener]) -> set[int]:
        """Set which sockets listen, forget all others, and return those that are new."""
        self._listeners = {listener.inode: listener for listener in listeners}
        inodes = self._listeners.keys() - {0}
        self._created.set_sockets(listeners)
        self._found = {inode: found for inode, found in self._found.items() if inode in inodes}
        self._searches_left = {inode: left for inode, left in self._searches_left.items() if inode in inodes}
        self._missed_since = {inode: at for inode, at in self._missed_since.items() if inode in inodes}
        self._unheld &= inodes
        self.held &= inodes
        self._awaited &= inodes
        self._details.forget_other_sockets(inodes)
        return inodes - self._found.keys() - self._searches_left.keys()

    def seek(self, inodes: Collection[int]) -> None:
        """Note that the owners of these sockets are to be searched for."""
        self._searches_left.update(dict.fromkeys(inodes, MAX_SEARCHES))

    def without_owner(self) -> Collection[int]:
        """Return the sockets whose owner is not known, or not yet."""
        return self._searches_left.keys()

    def sought(self) -> set[int]:
        """Return those of them that are searched for."""
        return {inode for inode, left in self._searches_left.items() if left}

    def missed(self) -> set[int]:
        """Return those of them that a search of all processes did not find."""
        return {inode for inode, left in self._searches_left.items() if left < MAX_SEARCHES}

    def owned_by(self, pids: Collection[int]) -> set[int]:
        """Return the sockets of these processes that are not searched for already."""
        owned = {
            inode for process, inodes in self.by_process().items() if process.pid in pids for inode in inodes
        }
        return owned - self._searches_left.keys()

    def by_process(self) -> dict[Process, set[int]]:
        """Return the sockets of each owner."""
        processes: dict[Process, set[int]] = {}
        for inode, found in self._found.items():
            if found.process is not None:
                processes.setdefault(found.process, set()).add(inode)
        return processes

    def process_of(self, inode: int) -> Process | None:
        """Return the process that owns a socket; None where it is not known."""
        found = self._found.get(inode)
        return None if found is None else found.process

    def given_up(self) -> set[int]:
        """Return those of them that are searched for no longer."""
        return {inode for inode, left in self._searches_left.items() if not left}

    def keep(
        self, found: Mapping[int, Process], managers: Collection[Process], provisional: Collection[int] = ()
    ) -> Held:
        """Take the owners that a search has found; tell whether more sockets are held for others now.

        `managers` are the processes that the search knew to hold sockets for others: of one that is known as
        such only since, it has not chosen the program that serves the socket. For those in `provisional` the
        search goes on: the owner counts until that has ended. Raises KernelError.
        """
        located = {inode: self._locate(inode, process) for inode, process in found.items()}
        locations = {owner.location for owner in located.values()}
        self._details.ask_names(locations.union(self._created.locations()))
        held_before = set(self.held)
        holding = {process: self._programs.read(process) for process in set(found.values())}
        changed, unknown = [], set()
        for inode in located.keys() & (self._searches_left.keys() | self.held):
            if inode not in provisional:
                self._searches_left.pop(inode, None)
                self._missed_since.pop(inode, None)
                self._unheld.discard(inode)
            (self.held.add if holding[found[inode]] else self.held.discard)(inode)
            if holding[found[inode]] and found[inode] not in managers:
                unknown.add(inode)
            if self._found.get(inode) != located[inode] or not self._details.is_settled(inode):
                self._found[inode] = located[inode]
                changed.append(inode)
        self._note_changed(changed)
        self._awaited |= unknown
        self._details.unsettle(unknown)
        self.retain()
        if unknown:
            return Held.UNKNOWN_TO_SEARCH
        return Held.NO_MORE if self.held <= held_before else Held.MORE

    def give_up(self, sought: Collection[int], now: float) -> bool:
        """Note that a search of all processes did not find the owners of those of these that have none.

        Return whether any of them is searched for no longer.
        """
        given_up = self.given_up()
        changed = []
        for inode in self._searches_left.keys() & given_up:
            changed += self._miss(inode, now)
        for inode in self._searches_left.keys() & set(sought):
            self._searches_left[inode] -= 1
            self._miss(inode, now)
            # The owner that it had has ended.
            self._found.pop(inode, None)
            self.held.discard(inode)
            changed.append(inode)
        awaited, self._awaited = self._awaited, set()
        self._note_changed([*changed, *(awaited & self._found.keys())])
        return not self.given_up() <= given_up

    def _miss(self, inode: int, now: float) -> list[int]:
        """Note that no holder of a socket was found; return the socket where that is certain from now on."""
        since = self._missed_since.setdefault(inode, now)
        if now - since < _UNHELD_SECONDS or inode in self._unheld:
            return []
        self._unheld.add(inode)
        return [inode]

    def take_details(self, now: float) -> bool:
        """Take what was looked up meanwhile; tell whether more sockets are held for others than before."""
        details = self._details
        settled = details.take_settled(lambda inode: (self._listeners[inode], self._found_owner(inode)), now)
        # Such a one may have a program that serves it, which is searched for before it is named.
        held = self._hold(settled)
        self._awaited |= held
        details.settle(settled - self._awaited)
        if details.answers_changed(now):
            held |= self._hold(set(filter(details.is_settled, self._found)))
            details.settle(set(filter(details.is_settled, self._listeners)))
        return bool(held)

    def retain(self) -> None:
        """Forget what was looked up of others than the present owners."""
        self._details.retain(
            [(self._listeners[inode], found) for inode, found in self._found.items()],
            {*(found.location for found in self._found.values()), *self._created.locations()},
        )

    def searched(self, inode: int) -> bool:
        """Tell whether a socket was searched for, and what is looked up of its owner is known."""
        searched = inode in self._found or self._searches_left.get(inode, MAX_SEARCHES) < MAX_SEARCHES
        return not inode or (searched and self._details.is_settled(inode))

    def owners_of(self, listeners: Iterable[Listener]) -> dict[int, SocketOwner]:
        """Return what is known of sockets, by their cookies, without those that were not searched for yet."""
        listeners = list(listeners)
        owners = self._details.owners(
            (listener, self._found_owner(listener.inode))
            for listener in listeners
            if self.searched(listener.inode)
        )
        for listener in listeners:
            if listener.inode in self._unheld and listener.cookie in owners:
                owners[listener.cookie] = replace(owners[listener.cookie], has_holder=False)
        return owners

    def _hold(self, inodes: Collection[int]) -> set[int]:
        """Note which of these are held for others, as what was looked up tells; return the new ones."""
        processes = {
            inode: self._found[inode].process for inode in self._found.keys() & set(inodes) - self.held
        }
        managers = {
            each
            for each in set(processes.values())
            if each is not None and self._programs.holds_for_others(each)
        }
        held = {inode for inode, process in processes.items() if process in managers}
        self.held |= held
        return held

    def _note_changed(self, inodes: Iterable[int]) -> None:
        self._details.note((self._listeners[inode], self._found_owner(inode)) for inode in inodes)

    def _found_owner(self, inode: int) -> FoundOwner:
        """Return the owner of a socket as far as it was found, and where the socket belongs."""
        found = self._found.get(inode)
        return found if found is not None else FoundOwner(None, self._created.location(inode))

    def _locate(self, inode: int, process: Process) -> FoundOwner:
        created = self._created.location(inode)
        # Where only systemd holds a socket, the unit of the socket tells more than that of systemd.
        if process.cgroup and not (is_init(process) and created.unit):
            return FoundOwner(process, _parse_cgroup_membership(process.cgroup))
        return FoundOwner(process, created)
