"""Files of a process whose reading may hang: it may wait for a file server in the network, or a FUSE server.

/proc/<pid>/cmdline is one of them, as it lies in the memory of the process, and that may be a mapped file.
Everything is looked up in one directory /proc/<pid> that stays open, so it is of one process, or fails.
Source: proc_pid_cmdline(5), proc_pid_root(5), user_namespaces(7).
"""

from __future__ import annotations

import enum
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from exporter import proc
from exporter.broker.rooted_path import Resolve, open_path

# What is read of an argument list, and of any other file.
MAX_ARGUMENTS_BYTES: Final = 256 << 10
MAX_FILE_BYTES: Final = 1 << 20
_READ_BYTES: Final = 64 << 10
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class ProcessFile(enum.IntEnum):
    """What may be read of a process."""

    # Its arguments, the first 256 KiB.
    CMDLINE = 1
    # How its user namespace maps users to those of the reader.
    UID_MAP = 2
    # The users that are known below its root: etc/passwd.
    PASSWD = 3
    # What VIEW_LINKS say, each followed by a NUL but the last.
    VIEW = 4


# What a process sees the host by.
VIEW_LINKS: Final = ("root", "ns/mnt", "ns/user")


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of a file. `device` and `inode` are set where it is one of a file system (stat(2))."""

    content: bytes
    device: int = 0
    inode: int = 0


class ProcessFileReader:
    """Reads files of processes by the mount of procfs at `root`, and waits for them as long as it takes.

    Methods raise OSError; ProcessLookupError where the process that started then has ended.
    """

    def __init__(self, root: str = "/proc") -> None:
        self.root = root

    @contextmanager
    def process(self, pid: int, started: int) -> Iterator[int]:
        """Open the directory of the process that started at `started`, in clock ticks since boot.

        It is that of another thread where the first one has ended.
        """
        try:
            directory = os.open(f"{self.root}/{pid}", _DIRECTORY)
        except FileNotFoundError as error:
            raise _gone() from error
        try:
            stat = _read_stat(directory)
            if _start_ticks(stat) != started:
                raise _gone()
            if proc.first_thread_has_ended(stat):
                thread = open_other_thread(directory, pid)
                os.close(directory)
                directory = thread
            yield directory
        finally:
            os.close(directory)

    def read(self, pid: int, started: int, file: ProcessFile) -> FileContent:
        """Return the content of a file, or what links say.

        Raises OSError: EFBIG where it is larger than 1 MiB, EINVAL where it is no regular file, and what the
        system calls fail with.
        """
        with self.process(pid, started) as directory:
            match file:
                case ProcessFile.CMDLINE:
                    return FileContent(_read_in_proc(directory, "cmdline", MAX_ARGUMENTS_BYTES))
                case ProcessFile.UID_MAP:
                    return FileContent(_read_in_proc(directory, "uid_map", MAX_FILE_BYTES))
                case ProcessFile.PASSWD:
                    return _read_below_root(directory, b"etc/passwd")
                case ProcessFile.VIEW:
                    links = [os.readlink(link, dir_fd=directory) for link in VIEW_LINKS]
                    return FileContent(b"\0".join(map(os.fsencode, links)))


@contextmanager
def opened(directory: int, name: str, flags: int) -> Iterator[int]:
    """Open a file of a process, by the open directory of that.

    Raises OSError: ProcessLookupError where the process has ended, in which case the file is not found.
    """
    try:
        descriptor = os.open(name, flags | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError as error:
        raise _gone() from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_other_thread(directory: int, pid: int) -> int:
    """Open the directory of a thread that is not the first one and lives, by the directory of its process.

    Raises OSError: ProcessLookupError where there is none.
    """
    with opened(directory, "task", os.O_RDONLY | os.O_DIRECTORY) as threads:
        for name in os.listdir(threads):  # noqa: PTH208  (only names are needed)
            # Another one may end meanwhile.
            with suppress(FileNotFoundError, ProcessLookupError):
                if name != str(pid) and os.readlink(f"{name}/root", dir_fd=threads):
                    return os.open(name, _DIRECTORY, dir_fd=threads)
    raise _gone()


def _read_stat(directory: int) -> bytes:
    with opened(directory, "stat", os.O_RDONLY) as descriptor:
        return proc.read_to_end(descriptor)


def _start_ticks(stat: bytes) -> int:
    try:
        return proc.start_ticks(stat)
    except ValueError as error:
        raise OSError(errno.EIO, os.strerror(errno.EIO)) from error


def _read_in_proc(directory: int, name: str, limit: int) -> bytes:
    with opened(directory, name, os.O_RDONLY) as descriptor:
        return read_up_to(descriptor, limit)


def _read_below_root(directory: int, path: bytes) -> FileContent:
    """Read a regular file by its path below the root of a process. Who may write there is not trusted."""
    with opened(directory, "root", os.O_PATH | os.O_DIRECTORY) as root:
        # Without O_NONBLOCK, opening a named pipe waits for a writer.
        descriptor = open_path(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, Resolve.IN_ROOT)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        content = read_up_to(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return FileContent(content, status.st_dev, status.st_ino)


def read_up_to(descriptor: int, limit: int) -> bytes:
    """Read a file to its end, but no more than `limit` bytes."""
    parts = []
    while limit > 0 and (part := os.read(descriptor, min(limit, _READ_BYTES))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _gone() -> ProcessLookupError:
    return ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
