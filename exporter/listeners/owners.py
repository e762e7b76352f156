"""Who owns each listener: found once for a new socket, in small steps, and then kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exporter.kernel.processes import Holding, Process, holdings, read_process, user_name
from exporter.listeners.group import Group
from exporter.listeners.text import printable

# A socket may be on its way to another process while the first look is taken (SCM_RIGHTS, a fork
# and exec by a supervisor), so what was not found is looked for again, and then left alone.
_LOOKS = 3
_AGAIN_SECONDS = 5.0
_INIT = 1


@dataclass(frozen=True, slots=True)
class Owner:
    """The process behind a listener; empty text where it may not be seen."""

    process: str = ""
    user: str = ""


NOBODY = Owner()


class Owners:
    """The owners of sockets by inode.

    Where several processes hold one socket the one that started first is the owner, as a master
    before its workers; process 1 only where nobody else has it, since it opens sockets for others.
    """

    def __init__(
        self,
        walk: Callable[[], Iterator[Holding]] = holdings,
        read: Callable[[int], Process | None] = read_process,
    ) -> None:
        """Take the walk over all processes and the look at one, for tests to replace."""
        self._walk = walk
        self._read = read
        self._found: dict[int, Process] = {}
        self._wanted: dict[int, int] = {}
        self._scan: Iterator[Holding] | None = None
        self._sought: set[int] = set()
        self._candidates: dict[int, list[int]] = {}
        self._next_scan = 0.0
        self._denied = 0
        self.blind = False

    def want(self, inodes: set[int], now: float) -> None:
        """Say which inodes are listening now; new ones are looked for, others are forgotten."""
        self._found = {inode: process for inode, process in self._found.items() if inode in inodes}
        self._wanted = {inode: looks for inode, looks in self._wanted.items() if inode in inodes}
        new = inodes - self._found.keys() - self._wanted.keys() - {0}
        if new:
            self._wanted.update(dict.fromkeys(new, _LOOKS))
            self._next_scan = now

    def pending(self, now: float) -> bool:
        """Tell whether there is something to look for."""
        return self._scan is not None or (now >= self._next_scan and any(self._wanted.values()))

    def step(self, now: float, enough: Callable[[], bool]) -> bool:
        """Go on looking until `enough` says so. Return whether a walk over all processes has ended."""
        if self._scan is None:
            self._scan, self._candidates, self._denied = self._walk(), {}, 0
            self._sought = {inode for inode, looks in self._wanted.items() if looks}
        for holding in self._scan:
            self._denied += holding.denied
            for inode in holding.inodes & self._sought:
                self._candidates.setdefault(inode, []).append(holding.pid)
            if enough():
                return False
        self._scan = None
        self._finish(now)
        return True

    def of(self, group: Group) -> Owner:
        """Return the owner of a group: of its sockets' owners the one that started first."""
        members = [member.listener for member in group.members.values()]
        processes = [self._found[member.inode] for member in members if member.inode in self._found]
        uids = [member.uid for member in members if member.uid is not None]
        first = min(processes, key=_rank, default=None)
        return Owner(
            process=printable(first.name) if first else "",
            user=printable(os.fsencode(user_name(uids[0]))) if uids else "",
        )

    def unseen(self) -> int:
        """Count the sockets whose owner was looked for and could not be seen."""
        return sum(inode not in self._found for inode in self._wanted)

    def _finish(self, now: float) -> None:
        for inode in self._sought & self._wanted.keys():
            processes = [self._read(pid) for pid in self._candidates.get(inode, ())]
            alive = [process for process in processes if process is not None]
            if alive:
                self._found[inode] = min(alive, key=_rank)
                del self._wanted[inode]
            else:
                self._wanted[inode] -= 1
        # A socket that opened during the walk may have been passed by: it gets a walk of its own.
        missed = (
            self._wanted.keys() - self._sought - {inode for inode, looks in self._wanted.items() if not looks}
        )
        self._next_scan = now if missed else now + _AGAIN_SECONDS
        self.blind = bool(self._wanted) and self._denied > 0


def _rank(process: Process) -> tuple[bool, int, int]:
    return process.pid == _INIT, process.started, process.pid
