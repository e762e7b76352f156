"""The processes of a host as a walk over /proc would show them, and how a test looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.kernel.processes import Holding, Process
from exporter.listeners.group import Group
from exporter.listeners.key import key_of
from exporter.listeners.owners import Owners
from tests.listeners.sockets import reading, tcp


@dataclass
class Host:
    """Processes that do not exist, in the order of a walk."""

    processes: dict[int, tuple[Process, frozenset[int]]] = field(default_factory=dict)
    denied: set[int] = field(default_factory=set)
    walks: int = 0

    def run(self, pid: int, name: bytes, *inodes: int, started: int | None = None) -> None:
        """Start a process that holds these sockets; by default pids tell who started first."""
        process = Process(pid, pid if started is None else started, name)
        self.processes[pid] = process, frozenset(inodes)

    def walk(self) -> Iterator[Holding]:
        """Show each process once."""
        self.walks += 1
        for pid, (_, inodes) in list(self.processes.items()):
            yield Holding(pid, denied=True) if pid in self.denied else Holding(pid, inodes)

    def read(self, pid: int) -> Process | None:
        """Who a process is now."""
        return self.processes[pid][0] if pid in self.processes else None


def look(owners: Owners, now: float = 0.0) -> None:
    """Go on to the end of a walk, if there is anything to look for."""
    if owners.pending(now):
        assert owners.step(now, lambda: False)


def owner_of(owners: Owners, *inodes: int) -> str:
    """The process that owns a group of sockets with these inodes."""
    group = Group(key_of(tcp(1), "host"))
    for inode in inodes:
        group.open(tcp(inode, inode=inode), reading(inode))
    return owners.of(group).process
