"""A host with processes, cgroups and files that do not exist, and how a test looks for owners there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import cast

from exporter.kernel.processes.cgroups import CgroupTree
from exporter.kernel.processes.process import Process, ProcessSockets
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.owners.containers import ContainerNameCache
from exporter.owners.owner import Owner
from exporter.owners.search import OwnerSearch
from exporter.owners.socket_holders import INIT_PID
from tests.listeners.sockets import reading, tcp


@dataclass
class Shelf:
    """Files by their whole paths; stands in for Disk. What is an error is raised."""

    files: dict[str, bytes | OSError] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def read(self, path: str) -> bytes:
        """Return what was put there."""
        self.asked.append(path)
        found = self.files.get(path, FileNotFoundError(path))
        if isinstance(found, OSError):
            raise found
        return found

    def listing(self, path: str) -> list[str]:
        """List what lies in a folder, in no particular order."""
        self.asked.append(path)
        below = {
            name[len(path) + 1 :] for name in (*self.files, *self.folders) if name.startswith(f"{path}/")
        }
        if not below:
            raise PermissionError(path)
        return list({name.split("/")[0] for name in below})


@dataclass
class Tree:
    """Cgroups by id; stands in for CgroupTree, and knows a path only after a walk."""

    paths: dict[int, bytes] = field(default_factory=dict)
    members: dict[bytes, list[int]] = field(default_factory=dict)
    available: bool = True
    walks: int = 0
    seen: dict[int, bytes] = field(default_factory=dict)

    def path(self, cgroup_id: int) -> bytes | None:
        """Tell what the last walk found."""
        return self.seen.get(cgroup_id)

    def look_for(self, ids: Collection[int], _now: float) -> Iterator[None]:
        """Walk where anything is unknown."""
        if not self.available or set(ids) <= self.seen.keys():
            return
        self.walks += 1
        self.seen = dict(self.paths)
        yield

    def pids(self, path: bytes) -> list[int]:
        """Tell who is there."""
        return self.members.get(path, [])


@dataclass
class Host:
    """Processes in the order of a walk; stands in for Processes."""

    processes: dict[int, tuple[Process, frozenset[int]]] = field(default_factory=dict)
    denied: set[int] = field(default_factory=set)
    tree: Tree = field(default_factory=Tree)
    shelf: Shelf = field(default_factory=Shelf)
    walks: int = 0
    looked_into: list[int] = field(default_factory=list)
    hides_init: bool = False
    on_look: Callable[[int], object] = lambda _pid: None

    def run(
        self, pid: int, name: bytes, *inodes: int, started: int | None = None, cgroup: bytes | None = b"/"
    ) -> None:
        """Start a process that holds these sockets; by default pids tell who started first."""
        content = b"" if cgroup is None else b"0::" + cgroup + b"\n"
        self.processes[pid] = (
            Process(pid, pid if started is None else started, name, content),
            frozenset(inodes),
        )
        if cgroup is not None:
            self.tree.members.setdefault(cgroup, []).append(pid)

    def owners(self) -> OwnerSearch:
        """Someone who looks for owners here and has not begun."""
        return OwnerSearch(self, cast("CgroupTree", self.tree), ContainerNameCache(self.shelf))

    def pids(self) -> list[int]:
        """Stand in for Processes.pids, with which a walk begins."""
        self.walks += 1
        init = [] if self.hides_init or INIT_PID in self.processes else [INIT_PID]
        return [*init, *self.processes]

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        """Stand in for Processes.sockets."""
        if pid == INIT_PID and pid not in self.processes:
            return
        self.looked_into.append(pid)
        self.on_look(pid)
        if pid in self.denied:
            yield ProcessSockets(pid, denied=True)
        elif pid in self.processes:
            yield ProcessSockets(pid, self.processes[pid][1])

    def read(self, pid: int) -> Process | None:
        """Stand in for Processes.read."""
        return self.processes[pid][0] if pid in self.processes else None


def unhinted(*inodes: int) -> dict[int, int]:
    """These sockets, which do not tell where they were made."""
    return dict.fromkeys(inodes, 0)


def look(owners: OwnerSearch, now: float = 0.0) -> None:
    """Look for all there is to look for."""
    if owners.pending(now):
        assert owners.step(now, lambda: False)


def group_of(*inodes: int, cgroup_id: int = 0) -> ListenerGroup:
    """A group of sockets with these inodes."""
    group = ListenerGroup(key_of(tcp(1), "host", "tcp"))
    for inode in inodes:
        group.open(tcp(inode, inode=inode, cgroup_id=cgroup_id), reading(inode))
    return group


def whole_owner(owners: OwnerSearch, *inodes: int, cgroup_id: int = 0) -> Owner:
    """All that is known of the owner of a group of sockets with these inodes."""
    return owners.of(group_of(*inodes, cgroup_id=cgroup_id))


def owner_of(owners: OwnerSearch, *inodes: int) -> str:
    """The process that owns a group of sockets with these inodes."""
    return whole_owner(owners, *inodes).process
