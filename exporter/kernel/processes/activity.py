"""What a process and its children do now: /proc/<pid>, as far as anybody may read it.

Source: proc_pid_stat(5), proc_pid_limits(5); the size of /proc/<pid>/fd is the number of open files
since Linux 6.2 (proc_fd_getattr, fs/proc/fd.c).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

from exporter import proc
from exporter.kernel.processes.cpu_clock import process_seconds

_STOPPED: Final = frozenset({"T", "t"})
_DISK: Final = "D"
_LIMIT: Final = b"Max open files"
# The workers of a master; more of them tell nothing more.
_MAX_CHILDREN: Final = 64


@dataclass(frozen=True, slots=True)
class ProcessActivity:
    """One process.

    `state` is the letter of ps(1); the numbers of files are None where not known. `cpu_seconds` is the
    processor time that all its threads have used, 0 where that is not known.
    """

    pid: int
    name: str
    state: str
    open_files: int | None = None
    max_open_files: int | None = None
    cpu_seconds: float = 0.0

    @property
    def stopped(self) -> bool:
        """Whether a signal or a debugger has stopped it."""
        return self.state in _STOPPED

    @property
    def waits_for_disk(self) -> bool:
        """Whether it is in an uninterruptible sleep, as while a disk or a file server does not answer."""
        return self.state == _DISK

    @property
    def out_of_files(self) -> bool:
        """Whether it may open no further file, and so accept no connection."""
        known = self.open_files is not None and self.max_open_files is not None
        return known and (self.open_files or 0) >= (self.max_open_files or 0)


def activities(
    pid: int, started: int, holds: Callable[[int], bool], root: str = "/proc"
) -> Iterator[ProcessActivity]:
    """Yield what a process that started then does, and those of its children that `holds` tells of.

    A service may have children of any kind, and what those do that hold no socket of it explains nothing.
    Nothing is yielded where the process is gone or hidden.
    """
    with suppress(OSError, ValueError):
        if proc.start_ticks(proc.read_file(f"{root}/{pid}/stat")) != started:
            return
        yield _activity(root, pid)
        for child in islice(_children(f"{root}/{pid}/task"), _MAX_CHILDREN):
            # A child may end meanwhile.
            with suppress(OSError, ValueError):
                if holds(child):
                    yield _activity(root, child)


def _children(threads: str) -> Iterator[int]:
    """Yield the children of a process: each is that of the thread which has forked it. Raises OSError."""
    for thread in os.listdir(threads):  # noqa: PTH208  (only names are needed)
        # A thread may end meanwhile, and a kernel without CONFIG_PROC_CHILDREN has no such file.
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from map(int, proc.read_file(f"{threads}/{thread}/children").split())


def _activity(root: str, pid: int) -> ProcessActivity:
    found = directory = f"{root}/{pid}"
    stat = proc.read_file(f"{directory}/stat")
    name = proc.command_name(stat).decode("utf-8", errors="backslashreplace")
    if not proc.has_ended(stat):
        for found in proc.directories(pid, root):
            # Another thread may end meanwhile.
            with suppress(FileNotFoundError, ProcessLookupError):
                stat = proc.read_file(f"{found}/stat")
                if not proc.first_thread_has_ended(stat):
                    break
    state = proc.state(stat).decode()
    files, most = _open_files(found), _max_open_files(directory)
    return ProcessActivity(pid, name, state, files, most, process_seconds(pid))


def _open_files(directory: str) -> int | None:
    """Return the number of open files, None where the kernel does not tell it."""
    with suppress(OSError):
        # Before Linux 6.2 it is 0, and a process that listens has one file at least.
        return os.stat(f"{directory}/fd").st_size or None  # noqa: PTH116  (no path is made for it)
    return None


def _max_open_files(directory: str) -> int | None:
    with suppress(OSError, ValueError):
        lines = proc.read_file(f"{directory}/limits").splitlines()
        columns = [line.removeprefix(_LIMIT).split() for line in lines if line.startswith(_LIMIT)]
        return int(columns[0][0]) if columns else None
    return None
