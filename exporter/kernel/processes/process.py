"""Which processes there are, which sockets they hold, and what each is: /proc/<pid>.

Source: https://docs.kernel.org/filesystems/proc.html. Without CAP_SYS_PTRACE and
CAP_DAC_READ_SEARCH only the caller's own processes show their descriptors.
"""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from exporter import proc
from exporter.kernel.errors import MalformedReplyError, from_os_error

# So many descriptors are read in one step, so that none takes long.
_PORTION: Final = 256
# PROC_PID_INIT_INO, include/linux/proc_ns.h.
_INITIAL_PID_NAMESPACE: Final = "pid:[4026531836]"
# A process that has ended, or that a mount of procfs hides (hidepid).
_GONE: Final = frozenset({errno.ENOENT, errno.ESRCH})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
# What the kernel appends to the path of a file that was removed (d_path, fs/d_path.c).
_REMOVED: Final = b" (deleted)"


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
class ProcessStat:
    """What the file `stat` tells of a process: its start in clock ticks, and its command name."""

    started: int
    name: bytes


@dataclass(frozen=True, slots=True)
class ProcessSockets:
    """A portion of the sockets of one process; `denied` where its descriptors may not be read."""

    pid: int
    inodes: frozenset[int] = field(default=frozenset())
    denied: bool = False


class ProcessTable(Protocol):
    """The processes of a host. Every method raises KernelError.

    `may_see_sockets` tells whether there are the capabilities to see the sockets of other users' processes.
    Some processes protect themselves all the same.
    """

    may_see_sockets: bool

    def has_all(self) -> bool:
        """Tell whether every process of the host has a number here, and not only those of a PID namespace."""
        ...

    def pids(self) -> list[int]:
        """Return the number of every process."""
        ...

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        """Yield the sockets of a process, one portion a step; nothing where it is gone."""
        ...

    def read(self, pid: int) -> Process | None:
        """Return what a process is, or None where it is gone or may not be read."""
        ...

    def exists(self, pid: int) -> bool:
        """Tell whether there is a process with this number, be it one that has ended (a zombie)."""
        ...

    def stat(self, pid: int) -> ProcessStat | None:
        """Return its start and its name; None where it has ended or may not be read."""
        ...

    def executable(self, pid: int) -> bytes:
        """Return the path of the program that a process runs; empty where it may not be read."""
        ...


class ProcfsProcesses(ABC):
    """A ProcessTable that reads files below /proc, in whatever way a subclass opens them.

    What a subclass defines raises OSError, or KernelError where there is no way to open anything.
    """

    root = "/proc"
    may_see_sockets = False

    @abstractmethod
    def _pids(self) -> list[int]:
        """Return the number of every process."""

    @abstractmethod
    def _socket_inodes(self, pid: int) -> Iterator[Collection[int]]:
        """Yield the inodes of a process's sockets, in portions."""

    @abstractmethod
    def _file(self, pid: int, name: str) -> bytes:
        """Read a file of a process."""

    @abstractmethod
    def _link(self, pid: int, name: str) -> bytes:
        """Read a link of a process, one of PROCESS_LINKS (exporter/broker/readable_files.py)."""

    def has_all(self) -> bool:
        """Tell whether every process of the host has a number here, and not only those of a PID namespace.

        Raises KernelError.
        """
        try:
            return os.readlink(f"{self.root}/self/ns/pid") == _INITIAL_PID_NAMESPACE  # noqa: PTH115
        except OSError as error:
            raise from_os_error(f"cannot read {self.root}/self/ns/pid", error) from error

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

    def exists(self, pid: int) -> bool:
        """Tell whether there is a process with this number, be it one that has ended (a zombie)."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def stat(self, pid: int) -> ProcessStat | None:
        """Return its start and its name; None where it has ended or may not be read. Raises KernelError."""
        try:
            content = self._file(pid, "stat")
        except OSError as error:
            if error.errno in _GONE | _DENIED:
                return None
            raise from_os_error(f"cannot read {self.root}/{pid}/stat", error) from error
        try:
            ended = proc.has_ended(content)
            started, name = proc.start_ticks(content), proc.command_name(content)
        except ValueError as error:
            raise MalformedReplyError(f"{self.root}/{pid}/stat: {error}") from error
        return None if ended else ProcessStat(started, name)

    def executable(self, pid: int) -> bytes:
        """Return the path of the program that a process runs, as seen from its own root or the host's.

        It is also that of a file which was removed or replaced since, as by an update. Empty where the
        process is gone, may not be read, or is a thread of the kernel. Raises KernelError.
        """
        try:
            return self._link(pid, "exe").removesuffix(_REMOVED)
        except OSError as error:
            if error.errno in _GONE | _DENIED:
                return b""
            raise from_os_error(f"cannot read {self.root}/{pid}/exe", error) from error

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
        path, names = proc.descriptors(pid, self.root)
        directory = proc.open_directory(path)
        try:
            for start in range(0, len(names), _PORTION):
                yield proc.socket_inodes(directory, names[start : start + _PORTION])
        finally:
            os.close(directory)

    def _file(self, pid: int, name: str) -> bytes:
        return proc.read_file(f"{self.root}/{pid}/{name}")

    def _link(self, pid: int, name: str) -> bytes:
        return proc.process_link(pid, name, self.root)
