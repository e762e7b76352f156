"""Who holds a socket: a look through the descriptors of processes, a portion at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.kernel.processes.process import Process, ProcessTable

INIT_PID = 1


def rank(process: Process) -> tuple[bool, int, int]:
    """Order processes that hold one socket, the owner first.

    That is the one that started first, as a master before its workers; process 1 only where nobody
    else has it, since it opens sockets for others.
    """
    return process.pid == INIT_PID, process.started, process.pid


class SocketHolders:
    """One look for the owners of these inodes; `denied` counts processes that may not be looked into."""

    def __init__(self, processes: ProcessTable, sought: set[int]) -> None:
        """Take what is looked for; nothing is read yet."""
        self._processes = processes
        self._sought = sought
        self.found: dict[int, Process] = {}
        self.denied = 0

    def among(self, pids: Iterable[int]) -> Iterator[None]:
        """Look through these processes, in steps. Raises KernelError."""
        candidates: dict[int, set[int]] = {}
        for pid in pids:
            for holding in self._processes.sockets(pid):
                self.denied += holding.denied
                held = holding.inodes & self._sought
                if held:
                    candidates.setdefault(pid, set()).update(held)
                yield
        yield from self._settle(candidates)

    def _settle(self, candidates: dict[int, set[int]]) -> Iterator[None]:
        """Choose of several holders, and make sure that name and cgroup are those of the holder.

        Seconds may have passed since a process was looked into: it may have ended, another may have
        its number, and sockets may have gone from hand to hand.
        """
        alive = []
        for pid in candidates:
            process = self._processes.read(pid)
            if process is not None:
                alive.append(process)
                yield
        for process in sorted(alive, key=rank):
            left = candidates[process.pid] - self.found.keys()
            held: set[int] = set()
            for holding in self._processes.sockets(process.pid) if left else ():
                held |= holding.inodes & left
                yield
                if held == left:
                    break
            again = self._processes.read(process.pid) if held else None
            # The same start before and after: one process all the time, which held them in between.
            if again is not None and again.started == process.started:
                self.found.update(dict.fromkeys(held, again))
