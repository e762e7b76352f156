"""Which processes hold which sockets, from /proc/<pid>/fd.

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

from exporter.kernel.errors import MalformedReplyError, from_errno

_PROC = Path("/proc")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
# A process with thousands of descriptors is read in portions, so that no single step takes long.
_PORTION = 256


@dataclass(frozen=True, slots=True)
class Process:
    """A running process. `name` is its command name as raw bytes, `started` its start in clock ticks."""

    pid: int
    started: int
    name: bytes


@dataclass(frozen=True, slots=True)
class Holding:
    """A portion of the sockets of one process; `denied` where its descriptors may not be read."""

    pid: int
    inodes: frozenset[int] = field(default=frozenset())
    denied: bool = False


def holdings(proc: Path = _PROC) -> Iterator[Holding]:
    """Walk all processes, one portion of one process a step. A process that ends meanwhile is skipped.

    Raises KernelError where this process has run out of descriptors or memory.
    """
    for entry in os.listdir(proc):  # noqa: PTH208  (names are all that is needed, and there may be thousands)
        if entry.isdecimal():
            try:
                yield from _sockets(int(entry), proc / entry / "fd")
            except PermissionError:
                yield Holding(int(entry), denied=True)
            except (FileNotFoundError, ProcessLookupError):
                continue
            except OSError as error:
                raise from_errno(f"cannot read {proc / entry / 'fd'}", error.errno or 0) from error


def read_process(pid: int, proc: Path = _PROC) -> Process | None:
    """Read who a process is, or None where it is gone. Raises KernelError."""
    path = proc / str(pid) / "stat"
    try:
        name = (proc / str(pid) / "comm").read_bytes()
        stat = path.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    except OSError as error:
        raise from_errno(f"cannot read {path}", error.errno or 0) from error
    # The name stands in parentheses and may hold any byte, so columns count from the last one.
    columns = stat.rpartition(b")")[2].split()
    try:
        return Process(pid=pid, started=int(columns[19]), name=name.removesuffix(b"\n"))
    except (IndexError, ValueError) as error:
        raise MalformedReplyError(f"{path}: no start of the process in {stat!r}") from error


@lru_cache(maxsize=1024)
def user_name(uid: int) -> str:
    """Name a user as this host's passwd does; a number that has no name stays a number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _sockets(pid: int, directory: Path) -> Iterator[Holding]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        names = os.listdir(descriptor)  # noqa: PTH208  (pathlib takes no descriptor)
        for start in range(0, len(names), _PORTION):
            inodes = (_inode(name, descriptor) for name in names[start : start + _PORTION])
            yield Holding(pid, frozenset(inode for inode in inodes if inode is not None))
    finally:
        os.close(descriptor)


def _inode(name: str, directory: int) -> int | None:
    try:
        match = _SOCKET.fullmatch(os.readlink(name, dir_fd=directory))
    except FileNotFoundError:
        return None
    return int(match[1]) if match else None
