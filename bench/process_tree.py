"""A process that is measured, with all that descend from it: processor time, memory and descriptors."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from bench.process_memory import fields, memory
from bench.programs import cpu_seconds
from testbed.process_tree import descendants

_PROC: Final = Path("/proc")
_TICK_SECONDS: Final = 1 / os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat after the name: cutime and cstime (proc_pid_stat(5)).
_OF_ENDED_CHILDREN: Final = slice(13, 15)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of several processes, in bytes.

    `proportional` is their PSS, in which a page of a file counts for less where other programs map it too.
    `total` has each page once, and those of files in full.
    """

    proportional: int
    total: int

    @classmethod
    def of(cls, rollups: Iterable[tuple[dict[str, int], int]]) -> Self:
        """Add up the fields of smaps_rollup and RssFile of each process.

        The processes are forks of the first, so the one with most pages of files has nearly all of them.
        """
        read = list(rollups)
        proportional = sum(rollup["Pss"] for rollup, _ in read)
        own = sum(rollup["Pss"] - rollup["Pss_File"] for rollup, _ in read)
        return cls(proportional, own + max(file_bytes for _, file_bytes in read))


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A process by its id, and all that descend from it at the time of a question, but for those that end."""

    pid: int

    def cpu_seconds(self) -> float:
        """Return the processor time of all of them so far.

        That of those which have ended and were waited for is included, in ticks of 10 ms.
        """
        seconds = 0.0
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):
                seconds += cpu_seconds(pid) + _ended_children_seconds(pid)
        return seconds

    def memory(self) -> Memory:
        """Return the resident memory of all of them."""
        read = []
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):
                read.append((fields(_PROC / str(pid) / "smaps_rollup"), memory("RssFile", pid)))
        return Memory.of(read)

    def descriptors(self) -> int:
        """Return how many descriptors they have open."""
        opened = 0
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):
                opened += sum(1 for _ in (_PROC / str(pid) / "fd").iterdir())
        return opened


def _ended_children_seconds(pid: int) -> float:
    stat = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return sum(map(int, stat[_OF_ENDED_CHILDREN])) * _TICK_SECONDS
