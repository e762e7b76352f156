"""Who owns each listener: found once for a new socket, in small steps, and then kept.

A TCP socket tells in which cgroup it was made, so the few processes there are looked into at once.
What is not found there, and unix sockets, which tell nothing, take a walk over all processes.
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
from exporter.owners.cgroup_location import CgroupLocation, parse
from exporter.owners.cgroup_membership import place_of
from exporter.owners.containers import ContainerNameCache
from exporter.owners.owner import Owner
from exporter.owners.socket_holders import INIT_PID, SocketHolders, rank

# A socket may be on its way to another process while the first look is taken (SCM_RIGHTS, a fork
# and exec by a supervisor), so what was not found is looked for again, and then left alone.
_LOOKS = 3
_AGAIN_SECONDS = 5.0
# The root of the tree is all that a host without cgroups of version 2 tells.
_ROOT_CGROUP = 1
_NOWHERE = CgroupLocation()

_place_of = lru_cache(maxsize=1024)(place_of)


@dataclass(frozen=True, slots=True)
class _Found:
    process: Process
    name: str
    place: CgroupLocation


class OwnerSearch:
    """The owners of sockets by inode, in whatever network namespace: inodes are the whole host's.

    The process that holds a socket decides where it runs. Where no process may be seen, the cgroup
    in which the socket was made tells unit, container and pod without it.
    """

    def __init__(
        self,
        processes: ProcessTable | None = None,
        tree: CgroupTree | None = None,
        containers: ContainerNameCache | None = None,
    ) -> None:
        """Take what is asked: the host's own /proc, cgroups and files unless told."""
        self._processes = Processes() if processes is None else processes
        self._tree = CgroupTree() if tree is None else tree
        self._containers = ContainerNameCache() if containers is None else containers
        self._found: dict[int, _Found] = {}
        # How many looks are left for what was not found.
        self._wanted: dict[int, int] = {}
        # The cgroup of each socket that has one, those not looked for there yet, and what the paths say.
        self._cgroups: dict[int, int] = {}
        self._fresh: set[int] = set()
        self._made_in: dict[int, CgroupLocation] = {}
        # A near look is short, so a walk over all processes waits for it.
        self._near: Iterator[None] | None = None
        self._far: Iterator[None] | None = None
        self._next_walk = 0.0
        self._denied = 0
        self._now = 0.0

    @property
    def blind(self) -> bool:
        """Whether a socket was looked for in vain while processes kept their descriptors to themselves."""
        return self._denied > 0 and any(looks < _LOOKS for looks in self._wanted.values())

    def want(self, sockets: Mapping[int, int], now: float) -> None:
        """Say which inodes are listening now, each with the id of its cgroup (0 where none is told).

        New ones are looked for, others are forgotten. `now` is in monotonic seconds.
        """
        self._cgroups = {inode: cgroup for inode, cgroup in sockets.items() if cgroup > _ROOT_CGROUP}
        self._found = {inode: found for inode, found in self._found.items() if inode in sockets}
        self._wanted = {inode: looks for inode, looks in self._wanted.items() if inode in sockets}
        used = set(self._cgroups.values())
        self._made_in = {cgroup: place for cgroup, place in self._made_in.items() if cgroup in used}
        new = sockets.keys() - self._found.keys() - self._wanted.keys() - {0}
        if new:
            self._wanted.update(dict.fromkeys(new, _LOOKS))
            self._next_walk = now
        if self._tree.available:
            self._fresh = (self._fresh | new) & self._cgroups.keys()

    def pending(self, now: float) -> bool:
        """Tell whether there is something to look for."""
        return self._near is not None or self._far is not None or self._near_due(now) or self._far_due(now)

    def step(self, now: float, enough: Callable[[], bool]) -> bool:
        """Go on looking until `enough` says so. Return whether any look has come to its end.

        Raises KernelError.
        """
        self._now = now
        ended = False
        while (look := self._current(now)) is not None:
            for _ in look:
                if enough():
                    return ended
            ended = True
            if enough():
                break
        return ended

    def looked_for(self, group: ListenerGroup) -> bool:
        """Tell whether each socket of a group was looked for, so that its owner will not change at once."""
        return all(
            not inode or inode in self._found or self._wanted.get(inode, _LOOKS) < _LOOKS
            for inode in (member.listener.inode for member in group.members.values())
        )

    def settled(self, group: ListenerGroup) -> bool:
        """Tell whether nothing more will be found out about a group as long as its sockets stay."""
        inodes = [member.listener.inode for member in group.members.values() if member.listener.inode]
        places = [found.place for inode in inodes if (found := self._found.get(inode))]
        return all(inode in self._found or not self._wanted.get(inode) for inode in inodes) and not any(
            self._containers.awaited(place) for place in places
        )

    def of(self, group: ListenerGroup) -> Owner:
        """Return the owner of a group: of its sockets' owners the one that started first."""
        members = [member.listener for member in group.members.values()]
        known = [self._found[member.inode] for member in members if member.inode in self._found]
        made_in = [self._made_in[member.cgroup_id] for member in members if member.cgroup_id in self._made_in]
        uids = [member.uid for member in members if member.uid is not None]
        first = min(known, key=lambda found: rank(found.process), default=None)
        place = first.place if first else next(iter(made_in), _NOWHERE)
        names = self._containers.of(place)
        return Owner(
            process=first.name if first else "",
            user=printable(os.fsencode(user_name(uids[0]))) if uids else "",
            unit=place.unit,
            slice=place.slice,
            container=names.container,
            container_id=place.container_id,
            runtime=names.runtime,
            pod=names.pod,
            namespace=names.namespace,
            cgroup=place.path,
        )

    def unseen(self) -> int:
        """Count the sockets that are looked for, or were in vain."""
        return len(self._wanted)

    def _near_due(self, now: float) -> bool:
        return bool(self._fresh) or self._containers.due(now)

    def _far_due(self, now: float) -> bool:
        return now >= self._next_walk and any(self._wanted.values())

    def _current(self, now: float) -> Iterator[None] | None:
        if self._near is None and self._near_due(now):
            self._near = self._look_near()
        if self._near is None and self._far is None and self._far_due(now):
            self._far = self._look_far()
        return self._near or self._far

    def _look_near(self) -> Iterator[None]:
        """Look into the processes of the cgroups in which new sockets were made."""
        try:
            fresh, self._fresh = self._fresh, set()
            yield from self._find_cgroups()
            paths = {self._tree.path(self._cgroups[inode]) for inode in fresh & self._cgroups.keys()}
            pids = {pid for path in paths if path is not None for pid in self._tree.pids(path)}
            holders = SocketHolders(self._processes, fresh & self._wanted.keys())
            # It may have opened the socket for another, which only a walk would find.
            yield from holders.among(sorted(pids - {INIT_PID}))
            yield from self._take(holders)
        finally:
            self._near = None

    def _look_far(self) -> Iterator[None]:
        """Look into every process, and where nothing is found make do with the cgroup of the socket."""
        try:
            # After an error there is a pause too.
            self._next_walk = self._now + _AGAIN_SECONDS
            sought = {inode for inode, looks in self._wanted.items() if looks}
            holders = SocketHolders(self._processes, sought)
            pids = self._processes.pids()
            yield from holders.among(pids)
            yield from self._find_cgroups()
            yield from self._take(holders)
            for inode in sought & self._wanted.keys():
                self._wanted[inode] -= 1
            # A /proc that hides processes of others (hidepid) denies nothing, and lacks process 1.
            self._denied = holders.denied + (INIT_PID not in pids)
            # A socket that opened during the walk may have been passed by: it gets a walk of its own.
            missed = any(looks == _LOOKS for looks in self._wanted.values())
            self._next_walk = self._now if missed else self._now + _AGAIN_SECONDS
        finally:
            self._far = None

    def _find_cgroups(self) -> Iterator[None]:
        """Find out where the sockets were made that nobody is found for."""
        yield from self._tree.look_for(set(self._cgroups.values()), self._now)
        for inode in self._wanted.keys() & self._cgroups.keys():
            cgroup = self._cgroups[inode]
            path = self._tree.path(cgroup)
            if path is not None and cgroup not in self._made_in:
                self._made_in[cgroup] = parse(path)

    def _take(self, holders: SocketHolders) -> Iterator[None]:
        """Keep what was found, once the containers in which it is have their names."""
        found = {inode: self._where(inode, process) for inode, process in holders.found.items()}
        places = {*(each.place for each in found.values()), *self._made_in.values()}
        yield from self._containers.look(places, self._now)
        for inode in found.keys() & self._wanted.keys():
            self._found[inode] = found[inode]
            del self._wanted[inode]

    def _where(self, inode: int, process: Process) -> _Found:
        if process.cgroup:
            place = _place_of(process.cgroup)
        else:
            place = self._made_in.get(self._cgroups.get(inode, 0), _NOWHERE)
        return _Found(process, printable(process.name), place)
