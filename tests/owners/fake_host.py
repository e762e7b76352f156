"""A fake host with processes, cgroups and files, and how a test searches for owners on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from exporter.kernel.processes.process import Process, ProcessSockets
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.owner import Owner
from exporter.owners.search import OwnerSearch
from exporter.owners.socket_holders import INIT_PID
from tests.listeners.sockets import reading, tcp


@dataclass
class FakeFiles:
    """A FileReader of files by absolute path; a value that is an exception is raised.

    `requested` has the path of each call.
    """

    files: dict[str, bytes | OSError] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    requested: list[str] = field(default_factory=list)

    def read(self, path: str) -> bytes:
        self.requested.append(path)
        found = self.files.get(path, FileNotFoundError(path))
        if isinstance(found, OSError):
            raise found
        return found

    def names(self, path: str) -> list[str]:
        self.requested.append(path)
        paths = (*self.files, *self.directories)
        below = {name[len(path) + 1 :] for name in paths if name.startswith(f"{path}/")}
        if not below:
            raise PermissionError(path)
        return list({name.split("/")[0] for name in below})


@dataclass
class FakeCgroups:
    """CgroupPaths: `paths` are those that exist, `known` those that the last walk of the tree found."""

    paths: dict[int, bytes] = field(default_factory=dict)
    members: dict[bytes, list[int]] = field(default_factory=dict)
    available: bool = True
    known: dict[int, bytes] = field(default_factory=dict)

    def path(self, cgroup_id: int) -> bytes | None:
        return self.known.get(cgroup_id)

    def look_for(self, ids: Collection[int], _now: float) -> Iterator[None]:
        if not self.available or set(ids) <= self.known.keys():
            return
        self.known = dict(self.paths)
        yield

    def pids(self, path: bytes) -> list[int]:
        return self.members.get(path, [])


@dataclass
class FakeHost:
    """A ProcessTable, with the cgroups and the files of the same host.

    `full_searches` counts the calls of `pids`, with which a search of all processes begins. `read_pids` has
    the pid of each process whose descriptors were read, before which `before_read` is called.
    """

    processes: dict[int, tuple[Process, frozenset[int]]] = field(default_factory=dict)
    denied: set[int] = field(default_factory=set)
    cgroups: FakeCgroups = field(default_factory=FakeCgroups)
    files: FakeFiles = field(default_factory=FakeFiles)
    full_searches: int = 0
    read_pids: list[int] = field(default_factory=list)
    hides_init: bool = False
    before_read: Callable[[int], object] = lambda _pid: None

    def run(
        self, pid: int, name: bytes, *inodes: int, started: int | None = None, cgroup: bytes | None = b"/"
    ) -> None:
        """Start a process that holds these sockets; it started at the time `pid` unless told."""
        content = b"" if cgroup is None else b"0::" + cgroup + b"\n"
        process = Process(pid, pid if started is None else started, name, content)
        self.processes[pid] = (process, frozenset(inodes))
        if cgroup is not None:
            self.cgroups.members.setdefault(cgroup, []).append(pid)

    def owner_search(self) -> OwnerSearch:
        """Return a search on this host."""
        return OwnerSearch(self, self.cgroups, ContainerNameCache(self.files))

    def pids(self) -> list[int]:
        self.full_searches += 1
        init = [] if self.hides_init or INIT_PID in self.processes else [INIT_PID]
        return [*init, *self.processes]

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        if pid == INIT_PID and pid not in self.processes:
            return
        self.read_pids.append(pid)
        self.before_read(pid)
        if pid in self.denied:
            yield ProcessSockets(pid, denied=True)
        elif pid in self.processes:
            yield ProcessSockets(pid, self.processes[pid][1])

    def read(self, pid: int) -> Process | None:
        return self.processes[pid][0] if pid in self.processes else None


def without_cgroup(*inodes: int) -> dict[int, int]:
    """Return sockets whose cgroup is unknown, for OwnerSearch.set_sockets."""
    return dict.fromkeys(inodes, 0)


def search(owners: OwnerSearch, now: float = 0.0) -> None:
    """Search until nothing is pending."""
    if owners.pending(now):
        assert owners.step(now, lambda: False)


def group_of(*inodes: int, cgroup_id: int = 0) -> ListenerGroup:
    """Return a group of sockets with these inodes."""
    group = ListenerGroup(key_of(tcp(1), "host", "tcp"))
    for inode in inodes:
        group.open(tcp(inode, inode=inode, cgroup_id=cgroup_id), reading(inode))
    return group


def owner_of(owners: OwnerSearch, *inodes: int, cgroup_id: int = 0) -> Owner:
    """Return the owner of a group of sockets with these inodes."""
    return owners.owner_of(group_of(*inodes, cgroup_id=cgroup_id))


def process_of(owners: OwnerSearch, *inodes: int) -> str:
    """Return the name of the process that owns a group of sockets with these inodes."""
    return owner_of(owners, *inodes).process
