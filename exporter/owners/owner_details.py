"""What is looked up of owners once their processes are known: names, users, containers, paths of sockets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from exporter.kernel.processes.process import Process
from exporter.kernel.records import Listener
from exporter.kernel.text import label_value, printable
from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.container_name_lookups import ContainerNameLookups
from exporter.owners.owner import Owner, SocketOwner
from exporter.owners.programs import Programs
from exporter.owners.socket_holders import owner_order
from exporter.owners.socket_paths import SocketPaths
from exporter.owners.user_names import UserNames

# How often it is looked whether lookups have brought other answers to what was asked long ago.
_VERSION_SECONDS: Final = 1.0
# So long, for each socket of which something is looked up, it is not looked again whether that has ended:
# thousands of them would keep the thread that looks it up from running.
_SETTLED_PAUSE_SECONDS: Final = 50e-6


@dataclass(frozen=True, slots=True)
class FoundOwner:
    """The process that owns a socket, None where that is not known, and where it runs."""

    process: Process | None
    location: CgroupLocation


class OwnerDetails:
    """Asks for what is looked up of owners, and tells when the answers are there.

    Sockets are told by inode. Those are unsettled of which something is still looked up, and those changed of
    which something else is known than when they were taken last.
    """

    def __init__(
        self,
        programs: Programs,
        socket_paths: SocketPaths,
        container_names: ContainerNameLookups,
        user_names: UserNames,
    ) -> None:
        self._unsettled: set[int] = set()
        self._changed: set[int] = set()
        self._programs = programs
        self._socket_paths = socket_paths
        self._container_names = container_names
        self._user_names = user_names
        self._lookups = (programs, socket_paths, container_names, user_names)
        self._versions = self._lookup_versions()
        self._next_version_look = 0.0
        # The versions of lookups when it was looked last whether those of unsettled sockets have ended.
        self._settled_versions: tuple[int, ...] = ()
        self._next_settled_look = 0.0

    @property
    def hung(self) -> int:
        """How many lookups hung."""
        return sum(lookups.hung for lookups in self._lookups)

    def note(self, sockets: Iterable[tuple[Listener, FoundOwner]]) -> None:
        """Note that other owners of sockets are known; each is changed once its details are known as well."""
        sockets = list(sockets)
        settled = self._settled(sockets)
        self._changed |= settled
        self._unsettled -= settled
        self._unsettled |= {listener.inode for listener, _ in sockets} - settled

    def is_settled(self, inode: int) -> bool:
        """Tell whether nothing is looked up of a socket."""
        return inode not in self._unsettled

    def settle(self, inodes: Iterable[int]) -> None:
        """Note that everything was looked up of these."""
        self._changed.update(inodes)
        self._unsettled.difference_update(inodes)

    def unsettle(self, inodes: Iterable[int]) -> None:
        """Note that something is to be found out first of these, until they are noted again or settled."""
        self._unsettled.update(inodes)
        self._changed.difference_update(inodes)

    def forget_other_sockets(self, inodes: AbstractSet[int]) -> None:
        """Forget that something is looked up of others than these."""
        self._unsettled &= inodes

    def has_changed(self) -> bool:
        """Tell whether `take_changed` has any socket to return."""
        return bool(self._changed)

    def take_changed(self) -> set[int]:
        """Return the sockets that have changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def take_settled(self, found: Callable[[int], tuple[Listener, FoundOwner]], now: float) -> set[int]:
        """Return the sockets of which everything was looked up meanwhile; they are not yet changed.

        `found` returns the listener of a socket and its owner.
        """
        for lookups in self._lookups:
            lookups.poll()
        versions = self._lookup_versions()
        # There may be thousands of them, and each answer makes another version.
        if not self._unsettled or versions == self._settled_versions or now < self._next_settled_look:
            return set()
        self._settled_versions = versions
        self._next_settled_look = now + _SETTLED_PAUSE_SECONDS * len(self._unsettled)
        return self._settled(map(found, self._unsettled))

    def answers_changed(self, now: float) -> bool:
        """Tell, once a second at most, whether any answer may be another one than before."""
        versions = self._lookup_versions()
        if versions == self._versions or now < self._next_version_look:
            return False
        self._versions = versions
        self._next_version_look = now + _VERSION_SECONDS
        return True

    def ask_names(self, locations: Collection[CgroupLocation]) -> None:
        """Have the names of what runs at these locations looked up."""
        self._container_names.ask(locations)

    def retain(
        self, sockets: Iterable[tuple[Listener, FoundOwner]], locations: Collection[CgroupLocation]
    ) -> None:
        """Forget what was looked up of other sockets and locations."""
        held = [(listener, found.process) for listener, found in sockets if found.process is not None]
        self._programs.retain({process for _, process in held})
        self._socket_paths.retain(held)
        self._user_names.retain(held)
        self._container_names.retain(set(locations))

    def owners(self, sockets: Iterable[tuple[Listener, FoundOwner]]) -> dict[int, SocketOwner]:
        """Return what is known of sockets, by their cookies."""
        # Thousands of sockets may have one owner.
        made: dict[tuple[FoundOwner, int | None], Owner] = {}
        owners = {}
        for listener, found in sockets:
            key = (found, listener.uid)
            owner = made.get(key)
            if owner is None:
                owner = made[key] = self._owner(found, listener.uid)
            owners[listener.cookie] = self._socket_owner(listener, found.process, owner)
        return owners

    def _socket_owner(self, listener: Listener, process: Process | None, owner: Owner) -> SocketOwner:
        if process is None:
            return SocketOwner(owner)
        path = self._socket_paths.path(listener, process)
        return SocketOwner(owner, owner_order(process), path.address, path.stale)

    def _owner(self, found: FoundOwner, uid: int | None) -> Owner:
        process, location = found.process, found.location
        names = self._container_names.names_at(location)
        return Owner(
            process=label_value(self._programs.name(process, _unit_of(location))) if process else "",
            command=label_value(printable(process.name)) if process is not None else "",
            user=label_value(self._user_names.name(uid, process)) if uid is not None else "",
            unit=label_value(location.unit),
            slice=label_value(location.slice),
            container=label_value(names.container),
            container_id=location.container_id,
            runtime=names.runtime,
            pod=label_value(names.pod),
            namespace=label_value(names.namespace),
            cgroup=label_value(location.path),
        )

    def _settled(self, sockets: Iterable[tuple[Listener, FoundOwner]]) -> set[int]:
        """Return those of these sockets, by inode, of which there is nothing to wait for."""
        # Thousands of sockets may have one owner.
        of_owners: dict[tuple[FoundOwner, int | None], bool] = {}
        settled = set()
        for listener, found in sockets:
            owner = (found, listener.uid)
            of_owner = of_owners.get(owner)
            if of_owner is None:
                of_owner = of_owners[owner] = self._owner_settled(found, listener.uid)
            # Each is asked, so that all are looked up at once.
            path = found.process is None or self._socket_paths.settled(listener, found.process)
            if of_owner and path:
                settled.add(listener.inode)
        return settled

    def _owner_settled(self, found: FoundOwner, uid: int | None) -> bool:
        settled = [
            self._container_names.settled(found.location),
            uid is None or self._user_names.settled(uid, found.process),
            found.process is None or self._programs.settled(found.process),
        ]
        return all(settled)

    def _lookup_versions(self) -> tuple[int, ...]:
        return tuple(lookups.version for lookups in self._lookups)


def _unit_of(location: CgroupLocation) -> str:
    """Return the unit that names a program: not that of an engine, whose containers run what they like."""
    return "" if location.container_id and location.runtime != "podman" else location.unit
