"""A fake host with processes, cgroups and files, and how a test searches for owners on it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from exporter.kernel.processes.files import HeldSocket, SocketFile
from exporter.kernel.processes.process import Process, ProcessSockets, ProcessStat
from exporter.kernel.records import Listener
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.container_name_lookups import ContainerNameLookups
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.owners.process_users import OF_HOST, ProcessUser, UserOfProcess
from exporter.owners.programs import ProcessId, Programs
from exporter.owners.search import OwnerSearch, OwnerSources
from exporter.owners.socket_holders import INIT_PID
from exporter.owners.socket_paths import SocketPaths
from exporter.owners.user_names import UserNames
from tests.listeners.sockets import tcp
from tests.owners.inline_lookups import InlineLookups

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


@dataclass
class FakeFiles:
    """A FileReader of files by absolute path; a value that is an exception is raised.

    `requested` has the path of each call.
    """

    files: dict[str, bytes | OSError] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    requested: list[str] = field(default_factory=list)

    def read(self, path: str, max_bytes: int) -> bytes:
        self.requested.append(path)
        found = self.files.get(path, FileNotFoundError(path))
        if isinstance(found, OSError):
            raise found
        if len(found) > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return found

    def names(self, path: str) -> list[str]:
        self.requested.append(path)
        paths = (*self.files, *self.directories)
        below = {name[len(path) + 1 :] for name in paths if name.startswith(f"{path}/")}
        if not below:
            raise PermissionError(path)
        return list({name.split("/")[0] for name in below})


@dataclass
class HangingFiles(FakeFiles):
    """FakeFiles of which the one with the path `hanging` cannot be read before `go_on` is set."""

    hanging: str = ""
    go_on: threading.Event = field(default_factory=threading.Event)

    def read(self, path: str, max_bytes: int) -> bytes:
        if path == self.hanging:
            self.go_on.wait()
        return super().read(path, max_bytes)


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
class FakeLookups(Generic[Key, Answer]):
    """Lookups whose answers are known at once, but to those keys that are in `pending`.

    `retained` are the keys that were last kept. `polls` counts how often it was looked after them, `looks`
    how often whether an answer is known.
    """

    answers: dict[Key, Answer] = field(default_factory=dict)
    default: Answer | None = None
    pending: set[Key] = field(default_factory=set)
    version: int = 0
    hung: int = 0
    retained: set[Key] = field(default_factory=set)
    polls: int = 0
    looks: int = 0

    def answer(self, key: Key) -> Answer | None:
        return None if key in self.pending else self.answers.get(key, self.default)

    def settled(self, key: Key) -> bool:
        self.looks += 1
        return key not in self.pending

    def retain(self, keys: Collection[Key]) -> None:
        self.retained = set(keys)

    def poll(self) -> None:
        self.polls += 1


@dataclass
class FakeHost:
    """A ProcessTable, with the cgroups and the files of the same host.

    `full_searches` counts the calls of `pids`, with which a search of all processes begins. `read_pids` has
    the pid of each process whose descriptors were read, before which `before_read` is called. `executables`
    has the paths of those that are not called as their process. `now` is the time at which names of
    containers are looked up, in monotonic seconds.
    """

    processes: dict[int, tuple[Process, frozenset[int]]] = field(default_factory=dict)
    executables: dict[int, bytes] = field(default_factory=dict)
    denied: set[int] = field(default_factory=set)
    cgroups: FakeCgroups = field(default_factory=FakeCgroups)
    files: FakeFiles = field(default_factory=FakeFiles)
    arguments: FakeLookups[ProcessId, tuple[bytes, ...]] = field(default_factory=FakeLookups)
    socket_files: FakeLookups[HeldSocket, SocketFile] = field(default_factory=FakeLookups)
    process_users: FakeLookups[UserOfProcess, ProcessUser] = field(
        default_factory=lambda: FakeLookups(default=OF_HOST)
    )
    host_users: FakeLookups[int, bytes] = field(default_factory=lambda: FakeLookups({0: b"root"}))
    full_searches: int = 0
    read_pids: list[int] = field(default_factory=list)
    hides_init: bool = False
    in_pid_namespace: bool = False
    may_see_sockets: bool = False
    now: float = 0.0
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
        return OwnerSearch(
            OwnerSources(
                self,
                Programs(self, self.arguments),
                SocketPaths(self.socket_files),
                self.cgroups,
                ContainerNameLookups(ContainerNameCache(self.files), InlineLookups(), lambda: self.now),
                UserNames(self.process_users, self.host_users, FakeLookups()),
            )
        )

    def has_all(self) -> bool:
        return not self.in_pid_namespace

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

    def exists(self, pid: int) -> bool:
        return pid in self.processes or pid == INIT_PID

    def stat(self, pid: int) -> ProcessStat | None:
        process = self.read(pid)
        return None if process is None else ProcessStat(process.started, process.name)

    def executable(self, pid: int) -> bytes:
        if pid not in self.processes:
            return b""
        return self.executables.get(pid, b"/bin/" + self.processes[pid][0].name)

    def read(self, pid: int) -> Process | None:
        return self.processes[pid][0] if pid in self.processes else None


def without_cgroup(*inodes: int) -> list[Listener]:
    """Return sockets whose cgroup is unknown, for OwnerSearch.set_sockets."""
    return in_cgroups(dict.fromkeys(inodes, 0))


def in_cgroups(cgroup_ids: Mapping[int, int]) -> list[Listener]:
    """Return sockets by their inodes, each with the id of its cgroup."""
    return [tcp(inode, inode=inode, cgroup_id=cgroup_id) for inode, cgroup_id in cgroup_ids.items()]


def search(owners: OwnerSearch, now: float = 0.0) -> None:
    """Search until nothing is pending."""
    if owners.pending(now):
        assert owners.step(now, lambda: False)


def owner_of(owners: OwnerSearch, inode: int, cgroup_id: int = 0) -> Owner:
    """Return the owner of the socket with this inode, that of none where it was not searched for yet."""
    known = owners.owners_of(in_cgroups({inode: cgroup_id}))
    return known[inode].owner if known else UNKNOWN_OWNER


def process_of(owners: OwnerSearch, inode: int) -> str:
    """Return the name of the process that owns the socket with this inode."""
    return owner_of(owners, inode).process
