"""Which processes there are, which sockets they hold, and who they are: /proc/<pid>.

Source: https://docs.kernel.org/filesystems/proc.html. Without CAP_SYS_PTRACE and
CAP_DAC_READ_SEARCH only the caller's own processes show their descriptors.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from exporter.kernel.errors import MalformedReplyError, from_errno

_PROC = Path("/proc")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
# A process with thousands of descriptors is read in portions, so that no single step takes long.
_PORTION = 256
_PORTION_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Process:
    """A running process. `name` is its command name as raw bytes, `started` its start in clock ticks.

    `cgroup` is the content of its /proc/<pid>/cgroup, empty where that may not be read.
    """

    pid: int
    started: int
    name: bytes
    cgroup: bytes = b""


@dataclass(frozen=True, slots=True)
class ProcessSockets:
    """A portion of the sockets of one process; `denied` where its descriptors may not be read."""

    pid: int
    inodes: frozenset[int] = field(default=frozenset())
    denied: bool = False


class ProcessTable(Protocol):
    """All that is asked about processes. Every method raises KernelError."""

    def pids(self) -> list[int]:
        """Return the number of every process."""
        ...

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        """Yield the sockets of a process, one portion a step; nothing where it is gone."""
        ...

    def read(self, pid: int) -> Process | None:
        """Return who a process is, or None where it is gone."""
        ...


class Processes:
    """The processes that a mount of procfs shows to this one."""

    def __init__(self, proc: Path = _PROC) -> None:
        """Take where procfs is mounted."""
        self._proc = proc

    def pids(self) -> list[int]:
        """Return the number of every process. Raises KernelError."""
        try:
            names = os.listdir(self._proc)  # noqa: PTH208  (names are all that is needed; there may be thousands)
        except OSError as error:
            raise from_errno(f"cannot read {self._proc}", error.errno or 0) from error
        return [int(name) for name in names if name.isdecimal()]

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        """Yield the sockets of a process, one portion a step; nothing where it is gone.

        Raises KernelError where this process has run out of descriptors or memory.
        """
        path = self._proc / str(pid) / "fd"
        try:
            yield from _sockets(pid, path)
        except PermissionError:
            yield ProcessSockets(pid, denied=True)
        except (FileNotFoundError, ProcessLookupError):
            return
        except OSError as error:
            raise from_errno(f"cannot read {path}", error.errno or 0) from error

    def read(self, pid: int) -> Process | None:
        """Read who a process is, or None where it is gone. Raises KernelError."""
        path = self._proc / str(pid)
        try:
            # What is opened below stays the process that it was, whoever gets its number later.
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                stat, name = _content("stat", directory), _content("comm", directory)
                cgroup = _content_if_shown("cgroup", directory)
            finally:
                os.close(directory)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        except OSError as error:
            raise from_errno(f"cannot read {path}", error.errno or 0) from error
        return Process(pid, start_of(stat, f"{path}/stat"), name.removesuffix(b"\n"), cgroup)


def start_of(stat: bytes, path: str) -> int:
    """Find in the content of /proc/<pid>/stat when a process started, in clock ticks.

    `path` is for the error. Raises MalformedReplyError. Source: proc_pid_stat(5), field 22.
    """
    # The name stands in parentheses and may hold any byte, so columns count from the last one.
    columns = stat.rpartition(b")")[2].split()
    try:
        return int(columns[19])
    except (IndexError, ValueError) as error:
        raise MalformedReplyError(f"{path}: no start of the process in {stat!r}") from error


@lru_cache(maxsize=1024)
def user_name(uid: int) -> str:
    """Name a user as this host's passwd does; a number that has no name stays a number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _content(name: str, directory: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return b"".join(iter(lambda: os.read(descriptor, _PORTION_BYTES), b""))
    finally:
        os.close(descriptor)


def _content_if_shown(name: str, directory: int) -> bytes:
    """Read a file that a kernel may not have, or not show."""
    try:
        return _content(name, directory)
    except (FileNotFoundError, PermissionError):
        return b""


def _sockets(pid: int, directory: Path) -> Iterator[ProcessSockets]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        names = os.listdir(descriptor)  # noqa: PTH208  (pathlib takes no descriptor)
        for start in range(0, len(names), _PORTION):
            inodes = (_inode(name, descriptor) for name in names[start : start + _PORTION])
            yield ProcessSockets(pid, frozenset(inode for inode in inodes if inode is not None))
    finally:
        os.close(descriptor)


def _inode(name: str, directory: int) -> int | None:
    try:
        match = _SOCKET.fullmatch(os.readlink(name, dir_fd=directory))
    except FileNotFoundError:
        return None
    return int(match[1]) if match else None
