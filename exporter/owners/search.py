"""The owners of listening sockets: each found once, in small steps, and then kept.

A TCP socket has the id of the cgroup that it was created in, so the few processes of that cgroup are
searched at once. All other sockets, unix sockets among them, need a search of all processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from exporter.kernel.processes.cgroups import CgroupTree
from exporter.kernel.processes.process import Process, Processes, ProcessTable, user_name
from exporter.kernel.text import printable
from exporter.listeners.group import ListenerGroup
from exporter.owners.cgroup_location import CgroupLocation, parse_cgroup_path
from exporter.owners.cgroup_membership import parse_cgroup_membership
from exporter.owners.cgroup_paths import CgroupPaths
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.owner import Owner
from exporter.owners.socket_holders import INIT_PID, SocketHolders, owner_order

# During a search a socket may be passed to another process (SCM_RIGHTS, or fork and exec by a service
# manager), so a socket without an owner is searched for a few times.
_MAX_SEARCHES = 3
_RETRY_SECONDS = 5.0
# The id of the root cgroup, which every socket has on a host without cgroups of version 2.
_ROOT_CGROUP = 1
_NOWHERE = CgroupLocation()

_parse_cgroup_membership = lru_cache(maxsize=1024)(parse_cgroup_membership)


@dataclass(frozen=True, slots=True)
class _Found:
    process: Process
    name: str
    location: CgroupLocation


class OwnerSearch:
    """The owners of sockets by inode; inodes are unique on a host, whatever the network namespace.

    Where an owner runs follows from its process. For a socket whose process cannot be found, the cgroup that
    it was created in gives unit, container and pod.
    """

    def __init__(
        self,
        processes: ProcessTable | None = None,
        cgroups: CgroupPaths | None = None,
        container_names: ContainerNameCache | None = None,
        user_name: Callable[[int], str] = user_name,
    ) -> None:
        """Search this host unless told otherwise; nothing is read yet."""
        self._processes = Processes() if processes is None else processes
        self._cgroups = CgroupTree() if cgroups is None else cgroups
        self._container_names = ContainerNameCache() if container_names is None else container_names
        self._user_name = user_name
        self._found: dict[int, _Found] = {}
        # For each socket without an owner the number of searches that are left.
        self._searches_left: dict[int, int] = {}
        self._cgroup_ids: dict[int, int] = {}
        # Sockets whose cgroup was not searched yet, and the locations of the cgroups of all sockets.
        self._new: set[int] = set()
        self._created_at: dict[int, CgroupLocation] = {}
        # The search of a cgroup is short, so the search of all processes waits for it.
        self._cgroup_search: Iterator[None] | None = None
        self._full_search: Iterator[None] | None = None
        self._next_full_search = 0.0
        self._denied_count = 0
        self._now = 0.0

    @property
    def access_denied(self) -> bool:
        """Whether an owner was not found in a search in which some processes could not be read."""
        return self._denied_count > 0 and any(left < _MAX_SEARCHES for left in self._searches_left.values())

    def set_sockets(self, cgroup_ids: Mapping[int, int], now: float) -> None:
        """Set which sockets listen: their inodes, each with the id of its cgroup, or 0 where it is unknown.

        New ones will be searched for, all others are forgotten. `now` is in monotonic seconds.
        """
        inodes = cgroup_ids.keys()
        self._cgroup_ids = {inode: cgroup for inode, cgroup in cgroup_ids.items() if cgroup > _ROOT_CGROUP}
        self._found = {inode: found for inode, found in self._found.items() if inode in inodes}
        self._searches_left = {inode: left for inode, left in self._searches_left.items() if inode in inodes}
        used = set(self._cgroup_ids.values())
        self._created_at = {cgroup: place for cgroup, place in self._created_at.items() if cgroup in used}
        new = inodes - self._found.keys() - self._searches_left.keys() - {0}
        if new:
            self._searches_left.update(dict.fromkeys(new, _MAX_SEARCHES))
            self._next_full_search = now
        if self._cgroups.available:
            self._new = (self._new | new) & self._cgroup_ids.keys()

    def pending(self, now: float) -> bool:
        """Return whether there is something to search for."""
        return bool(
            self._cgroup_search
            or self._full_search
            or self._cgroup_search_due(now)
            or self._full_search_due(now)
        )

    def step(self, now: float, stop: Callable[[], bool]) -> bool:
        """Continue until `stop` returns true or nothing is pending. Return whether any search has ended.

        Raises KernelError.
        """
        self._now = now
        ended = False
        while (search := self._next_search(now)) is not None:
            for _ in search:
                if stop():
                    return ended
            ended = True
            if stop():
                break
        return ended

    def searched(self, group: ListenerGroup) -> bool:
        """Return whether each socket of a group was searched for at least once."""
        return all(
            not inode or inode in self._found or self._searches_left.get(inode, _MAX_SEARCHES) < _MAX_SEARCHES
            for inode in (member.listener.inode for member in group.members.values())
        )

    def final(self, group: ListenerGroup) -> bool:
        """Return whether the owner of a group stays as it is as long as the group has the same sockets."""
        inodes = [member.listener.inode for member in group.members.values() if member.listener.inode]
        locations = [found.location for inode in inodes if (found := self._found.get(inode))]
        return all(
            inode in self._found or not self._searches_left.get(inode) for inode in inodes
        ) and not any(self._container_names.incomplete(location) for location in locations)

    def owner_of(self, group: ListenerGroup) -> Owner:
        """Return the owner of a group: of the owners of its sockets the one that started first."""
        members = [member.listener for member in group.members.values()]
        owners = [self._found[member.inode] for member in members if member.inode in self._found]
        created_at = [
            self._created_at[member.cgroup_id] for member in members if member.cgroup_id in self._created_at
        ]
        uids = [member.uid for member in members if member.uid is not None]
        first = min(owners, key=lambda found: owner_order(found.process), default=None)
        location = first.location if first else next(iter(created_at), _NOWHERE)
        names = self._container_names.names_at(location)
        return Owner(
            process=first.name if first else "",
            user=printable(os.fsencode(self._user_name(uids[0]))) if uids else "",
            unit=location.unit,
            slice=location.slice,
            container=names.container,
            container_id=location.container_id,
            runtime=names.runtime,
            pod=names.pod,
            namespace=names.namespace,
            cgroup=location.path,
        )

    def count_without_owner(self) -> int:
        """Return the number of sockets whose owner is not known, or not yet."""
        return len(self._searches_left)

    def _cgroup_search_due(self, now: float) -> bool:
        return bool(self._new) or self._container_names.due(now)

    def _full_search_due(self, now: float) -> bool:
        return now >= self._next_full_search and any(self._searches_left.values())

    def _next_search(self, now: float) -> Iterator[None] | None:
        if self._cgroup_search is None and self._cgroup_search_due(now):
            self._cgroup_search = self._search_cgroups()
        if self._cgroup_search is None and self._full_search is None and self._full_search_due(now):
            self._full_search = self._search_all()
        return self._cgroup_search or self._full_search

    def _search_cgroups(self) -> Iterator[None]:
        """Search the processes of the cgroups in which new sockets were created."""
        try:
            new, self._new = self._new, set()
            yield from self._locate_sockets()
            paths = {self._cgroups.path(self._cgroup_ids[inode]) for inode in new & self._cgroup_ids.keys()}
            pids = {pid for path in paths if path is not None for pid in self._cgroups.pids(path)}
            holders = SocketHolders(self._processes, new & self._searches_left.keys())
            # Process 1 may have opened the socket for a service, which only a full search would find.
            yield from holders.search(sorted(pids - {INIT_PID}))
            yield from self._keep(holders)
        finally:
            self._cgroup_search = None

    def _search_all(self) -> Iterator[None]:
        """Search all processes."""
        try:
            # After an error the next search waits as well.
            self._next_full_search = self._now + _RETRY_SECONDS
            sought = {inode for inode, left in self._searches_left.items() if left}
            holders = SocketHolders(self._processes, sought)
            pids = self._processes.pids()
            yield from holders.search(pids)
            yield from self._locate_sockets()
            yield from self._keep(holders)
            for inode in sought & self._searches_left.keys():
                self._searches_left[inode] -= 1
            # A procfs that hides the processes of other users (hidepid=2) denies nothing; it lacks process 1.
            self._denied_count = holders.denied_count + (INIT_PID not in pids)
            # A socket may be newer than the read of its process, so it gets a search of its own.
            missed = any(left == _MAX_SEARCHES for left in self._searches_left.values())
            self._next_full_search = self._now if missed else self._now + _RETRY_SECONDS
        finally:
            self._full_search = None

    def _locate_sockets(self) -> Iterator[None]:
        """Find the locations at which sockets without an owner were created."""
        yield from self._cgroups.look_for(set(self._cgroup_ids.values()), self._now)
        for inode in self._searches_left.keys() & self._cgroup_ids.keys():
            cgroup_id = self._cgroup_ids[inode]
            path = self._cgroups.path(cgroup_id)
            if path is not None and cgroup_id not in self._created_at:
                self._created_at[cgroup_id] = parse_cgroup_path(path)

    def _keep(self, holders: SocketHolders) -> Iterator[None]:
        """Keep the owners that were found, once the names of their containers are read."""
        found = {inode: self._locate(inode, process) for inode, process in holders.found.items()}
        locations = {*(each.location for each in found.values()), *self._created_at.values()}
        yield from self._container_names.update(locations, self._now)
        for inode in found.keys() & self._searches_left.keys():
            self._found[inode] = found[inode]
            del self._searches_left[inode]

    def _locate(self, inode: int, process: Process) -> _Found:
        if process.cgroup:
            location = _parse_cgroup_membership(process.cgroup)
        else:
            location = self._created_at.get(self._cgroup_ids.get(inode, 0), _NOWHERE)
        return _Found(process, printable(process.name), location)
