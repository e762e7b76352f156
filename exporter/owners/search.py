"""The owners of listening sockets: searched in small steps, and kept as long as they are right.

A TCP socket has the id of the cgroup that it was created in, so the few processes of that cgroup are searched
at once. All other sockets, unix sockets among them, need a search of all processes. It may take seconds of a
small budget, so new processes are searched before, and their sockets named until it has ended.

An owner that has ended, or has closed its socket, is searched for again. Where only a process holds a socket
that opens sockets for others, as systemd does until the first client comes, new processes are looked at every
two seconds, and all processes now and then; these also where no process holds it, as during SCM_RIGHTS.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from exporter.kernel.errors import UnavailableError
from exporter.kernel.processes.process import Process, ProcessTable
from exporter.kernel.records import Listener
from exporter.owners.cgroup_paths import CgroupPaths
from exporter.owners.container_name_lookups import ContainerNameLookups
from exporter.owners.creation_cgroups import CreationCgroups
from exporter.owners.found_owners import FoundOwners, Held
from exporter.owners.new_processes import NewProcesses
from exporter.owners.owner import SocketOwner
from exporter.owners.owner_details import OwnerDetails
from exporter.owners.owner_watch import OwnerWatch
from exporter.owners.programs import Programs
from exporter.owners.search_times import SearchTimes
from exporter.owners.socket_holders import INIT_PID, SocketHolders
from exporter.owners.socket_paths import SocketPaths
from exporter.owners.user_names import UserNames
from exporter.owners.visibility import Visibility


@dataclass(frozen=True, slots=True)
class OwnerSources:
    """What tells of the owners of sockets on a host."""

    processes: ProcessTable
    programs: Programs
    socket_paths: SocketPaths
    cgroups: CgroupPaths
    container_names: ContainerNameLookups
    user_names: UserNames


class OwnerSearch:
    """Searches for the owners of sockets among `processes`."""

    def __init__(self, sources: OwnerSources) -> None:
        """Take what tells of owners; nothing is read yet."""
        self.processes = sources.processes
        self._programs = sources.programs
        self._details = OwnerDetails(
            sources.programs, sources.socket_paths, sources.container_names, sources.user_names
        )
        self._created = CreationCgroups(sources.cgroups)
        self._owners = FoundOwners(sources.programs, self._details, self._created)
        # Sockets whose cgroup was not searched yet.
        self._new: set[int] = set()
        # Sockets for which new processes were not searched yet.
        self._not_looked_for: set[int] = set()
        self._watch = OwnerWatch(self.processes, sources.programs.holds_for_others)
        self._new_processes = NewProcesses()
        self._cgroup_search: Iterator[None] | None = None
        self._new_search: Iterator[None] | None = None
        self._owner_search: Iterator[None] | None = None
        self._full_search: Iterator[None] | None = None
        self._times = SearchTimes()
        self._visibility = Visibility(sources.processes)
        self._now = 0.0

    @property
    def obstacle(self) -> UnavailableError | None:
        """Why owners of sockets were not found; None where there is no reason, or none is missing."""
        return self._visibility.obstacle(self._owners.missed())

    @property
    def unreadable_count(self) -> int:
        """How many processes did not let their sockets be read in the last search of all."""
        return self._visibility.unreadable_count

    @property
    def hung_lookups(self) -> int:
        """How many lookups of what is known of owners hung."""
        return self._details.hung

    def set_sockets(self, listeners: Collection[Listener], now: float) -> None:
        """Set which sockets listen.

        New ones will be searched for, all others are forgotten. `now` is in monotonic seconds.
        """
        self._seek(self._owners.set_sockets(listeners), now)
        self._owners.retain()
        self._watch.set_owners(self._owners.by_process(), now)

    def pending(self, now: float) -> bool:
        """Return whether there is something to search for."""
        if self._owners.take_details(now):
            self._times.hold(now, at_once=True)
        return self._next_search(now) is not None

    @property
    def urgent(self) -> bool:
        """Whether there are sockets that no search of all processes has sought yet."""
        return not self._owners.sought() <= self._owners.missed()

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

    def has_changes(self) -> bool:
        """Return whether `take_changed` has any socket to return."""
        return self._details.has_changed()

    def take_changed(self) -> set[int]:
        """Return the sockets of which something else is known than at the last call."""
        return self._details.take_changed()

    def searched(self, inode: int) -> bool:
        """Return whether a socket was searched for, and what is looked up of its owner is known."""
        return self._owners.searched(inode)

    def owners_of(self, listeners: Iterable[Listener]) -> dict[int, SocketOwner]:
        """Return what is known of sockets, by their cookies, without those that were not searched for yet."""
        return self._owners.owners_of(listeners)

    def process_of(self, inode: int) -> Process | None:
        """Return the process that owns a socket; None where it is not known."""
        return self._owners.process_of(inode)

    def count_without_owner(self) -> int:
        """Return the number of sockets whose owner is not known, or not yet."""
        return len(self._owners.without_owner())

    def _seek(self, inodes: Collection[int], now: float) -> None:
        """Search for the owners of these sockets, beginning at once."""
        if inodes:
            self._owners.seek(inodes)
            self._times.search_now(now)
            # Before the first search of all it is not known which processes are new.
            self._not_looked_for |= set(inodes) if self._new_processes.any_known else set()
        self._new = self._created.known(self._new.union(inodes))

    def _new_processes_due(self, now: float) -> bool:
        return bool(self._not_looked_for or (self._owners.held and self._new_processes.due(now)))

    def _full_search_due(self, now: float) -> bool:
        # What nobody seems to hold is looked for where nothing keeps processes from being seen.
        seldom = self._owners.held or (self._owners.given_up() if self._visibility.sees_all else ())
        return self._times.due(now, sought=bool(self._owners.sought()), held=bool(seldom))

    def _next_search(self, now: float) -> Iterator[None] | None:
        if self._cgroup_search is None and self._new:
            self._cgroup_search = self._search_cgroups()
        if self._new_search is None and self._new_processes_due(now):
            self._new_search = self._search_new_processes()
        if first := self._cgroup_search or self._new_search:
            return first
        if self._full_search is None and self._full_search_due(now):
            self._full_search = self._search_all()
        if self._owner_search is None and self._full_search is None and self._watch.due(now):
            self._owner_search = self._look_at_owners()
        full, owners = self._full_search, self._owner_search
        return (full or owners) if self.urgent else (owners or full)

    def _search_cgroups(self) -> Iterator[None]:
        """Search the processes of the cgroups in which new sockets were created."""
        try:
            new, self._new = self._new, set()
            yield from self._created.look_for(self._owners.without_owner(), self._now)
            pids = self._created.pids(new)
            holders = self._holders(new.intersection(self._owners.without_owner()))
            # Process 1 may have opened the socket for a service, which only a full search would find.
            yield from holders.search(sorted(pids - {INIT_PID}))
            self._keep_serving(holders)
        finally:
            self._cgroup_search = None

    def _search_new_processes(self) -> Iterator[None]:
        """Search the processes that have started lately for sockets that are new, or held for others."""
        try:
            new, self._not_looked_for = self._not_looked_for & self._owners.sought(), set()
            searched = self._owners.held | self._owners.missed()
            if new or self._owners.held:
                holders = self._holders(searched | new)
                yield from holders.search(self._new_processes.look_at(self.processes.pids(), self._now))
                # A socket that no search of all has sought may have an older holder.
                self._keep_serving(holders, provisional=new - searched)
        finally:
            self._new_search = None

    def _look_at_owners(self) -> Iterator[None]:
        """Search again for the owners of sockets whose owner has ended, is another program, or closed one."""
        changed: set[int] = set()
        try:
            for pid in self._watch.changed(self._now):
                changed |= {pid} if pid is not None else set()
                yield
            self._seek(self._owners.owned_by(changed), self._now)
        finally:
            self._owner_search = None

    def _search_all(self) -> Iterator[None]:
        try:
            self._times.begin(self._now)
            sought = self._owners.sought()
            holders = self._holders(sought | self._owners.held | self._owners.given_up())
            pids = self.processes.pids()
            self._new_processes.note(pids, self._now)
            yield from holders.search(pids)
            yield from self._created.look_for(self._owners.without_owner(), self._now)
            self._keep(holders.found, holders)
            if self._owners.give_up(sought, self._now):
                self._times.hold(self._now)
            self._visibility.note(pids, holders.denied_count, self._owners.missed())
            # A socket may be newer than the read of its process, so it gets a search of its own.
            if not self._owners.missed().issuperset(self._owners.without_owner()):
                self._times.search_now(self._now)
        finally:
            self._full_search = None

    def _keep_serving(self, holders: SocketHolders, provisional: Collection[int] = ()) -> None:
        """Keep the owners that hold sockets for themselves; others may not be the only holders."""
        found = holders.found
        serving = {each for each in set(found.values()) if not self._programs.holds_for_others(each)}
        self._keep({inode: each for inode, each in found.items() if each in serving}, holders, provisional)

    def _keep(self, found: dict[int, Process], by: SocketHolders, provisional: Collection[int] = ()) -> None:
        held = self._owners.keep(found, by.managers, provisional)
        if held is not Held.NO_MORE:
            self._times.hold(self._now, at_once=held is Held.UNKNOWN_TO_SEARCH)
        self._watch.set_owners(self._owners.by_process(), self._now)

    def _holders(self, sought: set[int]) -> SocketHolders:
        return SocketHolders(self.processes, sought, self._programs.read)
