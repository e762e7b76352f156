"""Which of some processes holds a socket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.kernel.processes.process import Process, ProcessTable

INIT_PID = 1


def owner_order(process: Process) -> tuple[bool, int, int]:
    """Sort key of processes that hold the same socket; the first is the owner.

    That is the process that started first, as a master before its workers. Process 1 comes last, since
    it opens sockets on behalf of services.
    """
    return process.pid == INIT_PID, process.started, process.pid


class SocketHolders:
    """One search for the owners of the sockets with the inodes `sought`.

    `found` has the owner of each inode, `denied_count` the number of processes whose descriptors may not be
    read.
    """

    def __init__(self, processes: ProcessTable, sought: set[int]) -> None:
        self._processes = processes
        self._sought = sought
        self.found: dict[int, Process] = {}
        self.denied_count = 0

    def search(self, pids: Iterable[int]) -> Iterator[None]:
        """Read the descriptors of these processes, in steps. Raises KernelError."""
        held_by_pid: dict[int, set[int]] = {}
        for pid in pids:
            for sockets in self._processes.sockets(pid):
                self.denied_count += sockets.denied
                held = sockets.inodes & self._sought
                if held:
                    held_by_pid.setdefault(pid, set()).update(held)
                yield
        yield from self._choose(held_by_pid)

    def _choose(self, held_by_pid: dict[int, set[int]]) -> Iterator[None]:
        """Choose the owner among several holders, and read its name and cgroup.

        Seconds may have passed since the descriptors of a process were read: it may have ended, its pid may
        be that of another process, and the socket may have been passed on. So they are read again.
        """
        alive = []
        for pid in held_by_pid:
            process = self._processes.read(pid)
            if process is not None:
                alive.append(process)
                yield
        for process in sorted(alive, key=owner_order):
            left = held_by_pid[process.pid] - self.found.keys()
            held: set[int] = set()
            for sockets in self._processes.sockets(process.pid) if left else ():
                held |= sockets.inodes & left
                yield
                if held == left:
                    break
            again = self._processes.read(process.pid) if held else None
            # With the same start time before and after it is one process, which held the sockets in between.
            if again is not None and again.started == process.started:
                self.found.update(dict.fromkeys(held, again))
