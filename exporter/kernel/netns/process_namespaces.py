"""A process in each network namespace, found without asking about every process each time.

A process gets its namespace when it is forked, and may enter another later (unshare(2), setns(2)). So new
processes are asked about several times, all others in turn, and those that stand for a namespace each time.
Where no process was forked since the last time, /proc is not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from exporter import proc

# How often a new process is asked about: it may be forked first and enter its namespace then.
_NEW_PROCESS_ROUNDS: Final = 3
# In so many rounds every process is asked about once.
_ROUNDS: Final = 10
# How long a list of processes is used although none was forked: they also end.
_MAX_LIST_SECONDS: Final = 10.0
_LOADAVG: Final = "/proc/loadavg"


class ProcessLister(Protocol):
    """What is asked of the broker (exporter.kernel.netns.broker_client). Methods raise OSError."""

    def pids(self) -> list[int]:
        """Return every process there is."""

    def namespaces(self, pids: list[int]) -> dict[int, int]:
        """Return the inode of each process's network namespace; processes that have ended are left out."""


class ProcessNamespaces:
    """Finds a process for each network namespace. One thread uses it."""

    def __init__(self, processes: ProcessLister, loadavg: str = _LOADAVG) -> None:
        """Know no process yet; `loadavg` is the file that tells which process was forked last."""
        self._processes = processes
        self._loadavg = loadavg
        # The namespace of each process as it was seen last, None where it was not seen.
        self._inodes: dict[int, int | None] = {}
        # In how many more rounds a new process is asked about.
        self._rounds_left: dict[int, int] = {}
        self._chosen: dict[int, int] = {}
        # Whether anything was seen since the processes were chosen.
        self._changed = True
        self._newest = b""
        self._listed_at: float | None = None
        self._round = 0

    def find(self, now: float) -> Mapping[int, int]:
        """Return a process in each namespace by its inode, the same as before where it is still there.

        Where nothing has changed it is the very same mapping. `now` is in monotonic seconds. Raises OSError.
        """
        self._list(now)
        self._round = (self._round + 1) % _ROUNDS
        # A number says nothing about when its process started, so the remainder spreads them evenly.
        asked = {pid for pid in self._inodes if pid % _ROUNDS == self._round}
        asked.update(self._rounds_left, self._chosen.values())
        self._ask(asked)
        self._rounds_left = {
            pid: rounds - 1 for pid, rounds in self._rounds_left.items() if rounds > 1 and pid in self._inodes
        }
        lost = {inode for inode, pid in self._chosen.items() if self._inodes.get(pid) != inode}
        if lost:
            # What was seen of the others of these namespaces may be old.
            self._ask({pid for pid, inode in self._inodes.items() if inode in lost})
        if self._changed:
            self._choose()
            self._changed = False
        return self._chosen

    def _list(self, now: float) -> None:
        """List the processes, where one was forked since they were listed last."""
        newest = proc.read_file(self._loadavg).rpartition(b" ")[2]
        old = self._listed_at is None or now - self._listed_at >= _MAX_LIST_SECONDS
        if newest == self._newest and not old:
            return
        pids = self._processes.pids()
        for pid in pids:
            if pid not in self._inodes:
                self._rounds_left[pid] = _NEW_PROCESS_ROUNDS
        self._changed |= self._inodes.keys() != set(pids)
        self._inodes = {pid: self._inodes.get(pid) for pid in pids}
        self._newest, self._listed_at = newest, now

    def _ask(self, pids: set[int]) -> None:
        found = self._processes.namespaces(sorted(pids))
        for pid in pids:
            inode = found.get(pid)
            if inode is None:
                # It has ended, or may not be traced. One that has not is listed again.
                self._changed |= self._inodes.pop(pid, None) is not None
            elif inode != self._inodes.get(pid):
                self._inodes[pid] = inode
                self._changed = True

    def _choose(self) -> None:
        kept = {inode: pid for inode, pid in self._chosen.items() if self._inodes.get(pid) == inode}
        # Of several processes that of the lowest number, which is written last.
        lowest = {
            inode: pid for pid, inode in sorted(self._inodes.items(), reverse=True) if inode is not None
        }
        self._chosen = lowest | kept
