"""Which processes there are, which sockets they hold, and what each is: /proc/<pid>.

Source: https://docs.kernel.org/filesystems/proc.html. Without CAP_SYS_PTRACE and
CAP_DAC_READ_SEARCH only the caller's own processes show their descriptors.
"""

from __future__ import annotations

import errno
import os
import pwd
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from exporter import proc
from exporter.kernel.errors import MalformedReplyError, from_os_error

# So many descriptors are read in one step, so that none takes long.
_PORTION: Final = 256
# A process that has ended, or that a mount of procfs hides (hidepid).
_GONE: Final = frozenset({errno.ENOENT, errno.ESRCH})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class Process:
    """A running process. `name` is its command name as raw bytes, `started` its start in clock ticks.

    `cgroup` is the content of its /proc/<pid>/cgroup, empty where that does not exist or may not be read.
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
    """The processes of a host. Every method raises KernelError."""

    def pids(self) -> list[int]:
        """Return the number of every process."""
        ...

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        """Yield the sockets of a process, one portion a step; nothing where it is gone."""
        ...

    def read(self, pid: int) -> Process | None:
        """Return what a process is, or None where it is gone or may not be read."""
        ...


class ProcfsProcesses(ABC):
    """A ProcessTable that reads files below /proc, in whatever way a subclass opens them.

    What a subclass defines raises OSError, or KernelError where there is no way to open anything.
    """

    root = "/proc"

    @abstractmethod
    def _pids(self) -> list[int]:
        """Return the number of every process."""

    @abstractmethod
    def _socket_inodes(self, pid: int) -> Iterator[Collection[int]]:
        """Yield the inodes of a process's sockets, in portions."""

    @abstractmethod
    def _file(self, pid: int, name: str) -> bytes:
        """Read a file of a process."""

    def pids(self) -> list[int]:
        """Return the number of every process. Raises KernelError."""
        try:
            return self._pids()
        except OSError as error:
            raise from_os_error(f"cannot read {self.root}", error) from error

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        """Yield the sockets of a process, one portion a step; nothing where it is gone.

        Raises KernelError.
        """
        try:
            for inodes in self._socket_inodes(pid):
                yield ProcessSockets(pid, frozenset(inodes))
        except OSError as error:
            if error.errno in _DENIED:
                yield ProcessSockets(pid, denied=True)
            elif error.errno not in _GONE:
                raise from_os_error(f"cannot read {self.root}/{pid}/fd", error) from error

    def read(self, pid: int) -> Process | None:
        """Return what a process is, or None where it is gone or may not be read. Raises KernelError."""
        try:
            started = self._start_ticks(pid)
            name = self._file(pid, "comm").removesuffix(b"\n")
            cgroup = self._cgroup(pid)
            # Another process may have got the number since the first file was read.
            if self._start_ticks(pid) != started:
                return None
        except OSError as error:
            if error.errno in _GONE | _DENIED:
                return None
            raise from_os_error(f"cannot read {self.root}/{pid}", error) from error
        return Process(pid, started, name, cgroup)

    def _start_ticks(self, pid: int) -> int:
        try:
            return proc.start_ticks(self._file(pid, "stat"))
        except ValueError as error:
            raise MalformedReplyError(f"{self.root}/{pid}/stat: {error}") from error

    def _cgroup(self, pid: int) -> bytes:
        """Read a file that a kernel without cgroups does not have."""
        try:
            return self._file(pid, "cgroup")
        except OSError as error:
            if error.errno in _GONE | _DENIED:
                return b""
            raise


class Processes(ProcfsProcesses):
    """The processes that a mount of procfs shows to this one."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        self.root = str(root)

    def _pids(self) -> list[int]:
        return proc.pids(self.root)

    def _socket_inodes(self, pid: int) -> Iterator[Collection[int]]:
        directory = proc.open_directory(f"{self.root}/{pid}/fd")
        try:
            names = os.listdir(directory)  # noqa: PTH208  (pathlib takes no descriptor)
            for start in range(0, len(names), _PORTION):
                yield proc.socket_inodes(directory, names[start : start + _PORTION])
        finally:
            os.close(directory)

    def _file(self, pid: int, name: str) -> bytes:
        return proc.read_file(f"{self.root}/{pid}/{name}")


@lru_cache(maxsize=1024)
def user_name(uid: int) -> str:
    """Return the name of a user by this host's passwd; a number that has no name stays a number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
