"""The processes of a host, as a walk over /proc would show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.kernel.processes import Holding, Process


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
