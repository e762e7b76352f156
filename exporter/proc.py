"""Reading /proc, for the broker and for what it does without a broker alike.

It imports nothing but the standard library. Functions raise OSError as the system call does. Source: https://docs.kernel.org/filesystems/proc.html,
proc_pid_stat(5), proc_pid_fd(5), namespaces(7).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

# The kernel allocates as much for each read of a file below /proc/sys.
_READ_BYTES: Final = 8192
# More than any number takes.
SETTING_BYTES: Final = 64
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")
_NETWORK_NAMESPACE: Final = re.compile(r"net:\[(\d+)\]")
# The number of the column after the name in parentheses, counted from 0 (proc_pid_stat(5), field 22).
_START_COLUMN: Final = 19
# The same of its parent (field 4), and of the number of its threads (field 20).
_PARENT_COLUMN: Final = 1
_THREADS_COLUMN: Final = 17
# A zombie, and a process that is being removed (proc_pid_stat(5)).
_ENDED_STATES: Final = frozenset((b"Z", b"X", b"x"))


def open_file(path: str) -> int:
    """Open a file for reading and return its descriptor, which programs that are started do not inherit."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def read_to_end(descriptor: int) -> bytes:
    """Read a file from where it stands to its end."""
    return b"".join(iter(lambda: os.read(descriptor, _READ_BYTES), b""))


def read_setting(descriptor: int) -> bytes:
    """Read a file below /proc/sys that has one number, from its beginning; what is longer is cut.

    The kernel gives all of it at once (proc_sys_call_handler, fs/proc/proc_sysctl.c).
    """
    return os.read(descriptor, SETTING_BYTES)


def read_descriptor(descriptor: int) -> bytes:
    """Read a file from where it stands to its end, and close it."""
    try:
        return read_to_end(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: str) -> bytes:
    """Read a whole file."""
    return read_descriptor(open_file(path))


def pids(root: str = "/proc") -> list[int]:
    """Return the number of every process that `root` shows, in no particular order."""
    return [int(name) for name in os.listdir(root) if name.isdecimal()]  # noqa: PTH208  (only names are needed)


def start_ticks(stat: bytes) -> int:
    """Return when a process started, in clock ticks since boot, from the content of its file `stat`.

    Raises ValueError where the content is not that of such a file.
    """
    return _column(stat, _START_COLUMN, "start")


def parent(stat: bytes) -> int:
    """Return the parent of a process from the content of its file `stat`, 0 where it has none.

    Raises ValueError where the content is not that of such a file.
    """
    return _column(stat, _PARENT_COLUMN, "parent")


def state(stat: bytes) -> bytes:
    """Return the letter of a process's state from the content of its file `stat`; empty where it has none."""
    return b"".join(stat.rpartition(b")")[2].split()[:1])


def first_thread_has_ended(stat: bytes) -> bool:
    """Tell whether the first thread of a process has ended, from the content of the process's file `stat`."""
    return state(stat) in _ENDED_STATES


def has_ended(stat: bytes) -> bool:
    """Tell whether a process has ended, with all its threads, from the content of its file `stat`.

    Raises ValueError where the content is not that of such a file.
    """
    # Of a process that has ended the first thread is left until its parent has waited for it.
    return first_thread_has_ended(stat) and _column(stat, _THREADS_COLUMN, "number of threads") <= 1


def command_name(stat: bytes) -> bytes:
    """Return the command name of a process from the content of its file `stat`.

    Raises ValueError where the content is not that of such a file.
    """
    before, _, _ = stat.rpartition(b")")
    _, parenthesis, name = before.partition(b"(")
    if not parenthesis:
        raise ValueError(f"no name of the process in {stat!r}")
    return name


def open_directory(path: str) -> int:
    """Open a directory and return its descriptor. What is read below it is of one process, or is gone."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def socket_inodes(directory: int, names: Iterable[str]) -> list[int]:
    """Return the inodes of the sockets among these names in an open /proc/<pid>/fd.

    Descriptors that were closed since they were listed are left out.
    """
    inodes = []
    for name in names:
        try:
            link = os.readlink(name, dir_fd=directory)
        except FileNotFoundError:
            continue
        if match := _SOCKET.fullmatch(link):
            inodes.append(int(match[1]))
    return inodes


def directories(pid: int, root: str = "/proc") -> Iterator[str]:
    """Yield the directory of a process and, as long as it is not enough, those of its other threads.

    Its own is that of its first thread. When that has ended while others live, it has no descriptors, links,
    arguments and namespaces: only the directories of the others have them. Raises OSError where the process
    is gone.
    """
    yield f"{root}/{pid}"
    for thread in os.listdir(f"{root}/{pid}/task"):  # noqa: PTH208  (only names are needed)
        if thread != str(pid):
            yield f"{root}/{pid}/task/{thread}"


def descriptors(pid: int, root: str = "/proc") -> tuple[str, list[str]]:
    """Return the directory of a process's descriptors, and their names."""
    path, names = "", []
    for directory in directories(pid, root):
        path = f"{directory}/fd"
        # Another thread may end meanwhile.
        with suppress(FileNotFoundError):
            names = os.listdir(path)  # noqa: PTH208  (only names are needed)
        if names:
            break
    return path, names


def process_link(pid: int, name: str, root: str = "/proc") -> bytes:
    """Return what a link of a process says, such as `exe`. Raises OSError where it has none."""
    for directory in directories(pid, root):
        # The first thread may have ended.
        with suppress(FileNotFoundError):
            return os.fsencode(os.readlink(f"{directory}/{name}"))  # noqa: PTH115
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def network_namespace(pid: int, root: str = "/proc") -> int | None:
    """Return the inode of a process's network namespace; None for one that has ended and has none."""
    for directory in directories(pid, root):
        with suppress(FileNotFoundError):
            match = _NETWORK_NAMESPACE.fullmatch(os.readlink(f"{directory}/ns/net"))  # noqa: PTH115
            return int(match[1]) if match else None
    return None


def _column(stat: bytes, column: int, what: str) -> int:
    # The name may hold any byte, also parentheses and spaces, so the last parenthesis ends it.
    columns = stat.rpartition(b")")[2].split()
    if len(columns) <= column:
        raise ValueError(f"no {what} of the process in {stat!r}")
    return int(columns[column])
