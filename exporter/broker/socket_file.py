"""Where the file of a unix socket lies now, as seen from the process that holds the socket.

A socket keeps the name that bind() got, and the file may since have been renamed, removed or replaced. So the
name is resolved as that process would resolve it, and what is found there is compared with the inode and the
device that the kernel tells of the socket (UDIAG_SHOW_VFS). Where it is not there, the name is resolved as
other processes would resolve it (`other_views`). Source: unix(7), net/unix/diag.c (sk_diag_dump_vfs),
proc_pid_fd(5).
"""

from __future__ import annotations

import enum
import errno
import os
import stat
from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from exporter.broker.file_system import BTRFS, OVERLAYFS, file_system_type
from exporter.broker.other_views import other_views
from exporter.broker.process_files import ProcessFileReader, opened
from exporter.broker.socket_name import SocketName

# So many entries of a directory are looked at.
MAX_ENTRIES: Final = 4096
# The kernel tells 32 bits of an inode (struct unix_diag_vfs).
_INODE_MASK: Final = 0xFFFFFFFF
# The path leads to nothing.
_NOTHING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
# File systems whose files have other device numbers by stat(2) than the kernel has for the whole of it:
# overlayfs one for each layer, btrfs one for each subvolume.
_SEVERAL_DEVICES: Final = frozenset({OVERLAYFS, BTRFS})


class SocketFileState(enum.IntEnum):
    """What the name of a socket leads to."""

    # To its file.
    SAME = 0
    # To something else or nothing; its file has another name in the same directory.
    RENAMED = 1
    # To something else or nothing.
    STALE = 2
    # It could not be looked at, or the process that bound it may have seen another directory there.
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class SocketFile:
    """Where the file of a socket lies.

    `path` is absolute as seen from the root of the process, and empty where that is not known; with RENAMED
    it has the name that leads there now. `errno` is set where the state is UNKNOWN.
    """

    state: SocketFileState
    path: bytes = b""
    errno: int = 0


_NO_PATH: Final = SocketFile(SocketFileState.UNKNOWN, errno=errno.EINVAL)
_NOT_FOUND: Final = SocketFile(SocketFileState.UNKNOWN, errno=errno.ENOENT)


@dataclass(frozen=True, slots=True)
class BoundSocket:
    """A unix socket as the kernel tells of it: the path that bind() got, and its file's inode and device.

    `device` is that of the file system, in the form of stat(2); of `inode` the low 32 bits count.
    """

    path: bytes
    device: int
    inode: int

    def is_file(self, status: os.stat_result, directory: int) -> bool:
        """Tell whether this is the status of its file, which lies in the open `directory`. Raises OSError."""
        if not stat.S_ISSOCK(status.st_mode) or (status.st_ino ^ self.inode) & _INODE_MASK:
            return False
        return status.st_dev == self.device or (
            file_system_type(directory) in _SEVERAL_DEVICES and self.may_lie_in(directory)
        )

    def may_lie_in(self, directory: int) -> bool:
        """Tell whether an open directory is of the file system of its file. Raises OSError."""
        # On overlayfs directories have the device of the whole, on btrfs that of their subvolume.
        return os.fstat(directory).st_dev == self.device or file_system_type(directory) == BTRFS


class HeldSocket(NamedTuple):
    """A unix socket, and the process by whose root and directory its path is resolved.

    `started` is the start of that process, in clock ticks since boot.
    """

    pid: int
    started: int
    bound: BoundSocket


def find_sockets(
    reader: ProcessFileReader, pid: int, started: int, sockets: Iterable[BoundSocket]
) -> Generator[SocketFile, None, None]:
    """Find the files of sockets of the process that started at `started`, one after the other.

    What cannot be looked at is UNKNOWN, with its errno: nothing is raised. The process may have got another
    root, mount namespace or directory after it bound the socket, or has inherited it. Its ancestors and
    process 1 may still have those in which the name leads to the file.

    Where none has the file, the name is STALE only if that is certain: a path from the root, of which each of
    these processes sees the same, or that leads one of them to a directory of the file's own file system.
    """
    with ExitStack() as stack:
        try:
            process = stack.enter_context(reader.process(pid, started))
            root = stack.enter_context(opened(process, "root", os.O_PATH))
        except OSError as error:
            unknown = _unknown(error)
            yield from (unknown if _is_path(bound) else _NO_PATH for bound in sockets)
            return
        for bound in sockets:
            yield _find_of_process(reader, pid, process, root, bound)


def find_socket(reader: ProcessFileReader, held: HeldSocket) -> SocketFile:
    """Find the file of one socket, as `find_sockets` does."""
    with closing(find_sockets(reader, held.pid, held.started, (held.bound,))) as found:
        return next(found)


def _find_of_process(
    reader: ProcessFileReader, pid: int, process: int, root: int, bound: BoundSocket
) -> SocketFile:
    if not _is_path(bound):
        return _NO_PATH
    path = b""
    try:
        name = SocketName(process, root, bound.path)
        path = name.path
        return _find(name, bound) or _find_elsewhere(reader, pid, process, name, bound)
    except OSError as error:
        return _unknown(error, path)


def _is_path(bound: BoundSocket) -> bool:
    return bool(bound.path) and b"\0" not in bound.path


def _unknown(error: OSError, path: bytes = b"") -> SocketFile:
    return SocketFile(SocketFileState.UNKNOWN, path, error.errno or errno.EIO)


def _find_elsewhere(
    reader: ProcessFileReader, pid: int, process: int, name: SocketName, bound: BoundSocket
) -> SocketFile:
    """Find a file that is not where the name leads the process. Raises OSError."""
    if name.by_descriptor:
        return _NOT_FOUND
    # Those that may not be looked at count as well: they may see something else.
    others = 0
    # In a directory of its file system the file would be, unless it was removed.
    missing = _may_be_beside(name, bound)
    with closing(other_views(reader.root, pid, process, name.start)) as views:
        for view in views:
            others += 1
            if view is None:
                continue
            # What cannot be resolved there tells nothing.
            with suppress(OSError):
                there = SocketName(view.process, view.root, bound.path)
                found = _find(there, bound)
                if found is not None:
                    return found
                missing = missing or _may_be_beside(there, bound)
    # Nothing tells in which directory a relative path was bound.
    certain = name.start == "root" and (missing or not others)
    return SocketFile(SocketFileState.STALE, name.path) if certain else _NOT_FOUND


def _find(name: SocketName, bound: BoundSocket) -> SocketFile | None:
    """Find the file where the name leads, or beside that; None where it is not there. Raises OSError."""
    try:
        with name.directory() as directory:
            if _leads_to(name, directory, bound):
                return SocketFile(SocketFileState.SAME, name.path)
            other = _other_name(directory, bound)
    except OSError as error:
        if error.errno not in _NOTHING:
            raise
        return None
    return None if other is None else SocketFile(SocketFileState.RENAMED, name.renamed(other))


def _may_be_beside(name: SocketName, bound: BoundSocket) -> bool:
    """Tell whether the directory that a name leads to is of the file system of the file. Raises OSError."""
    try:
        with name.directory() as directory:
            return bound.may_lie_in(directory)
    except OSError as error:
        if error.errno not in _NOTHING:
            raise
        return False


def _leads_to(name: SocketName, directory: int, bound: BoundSocket) -> bool:
    try:
        status = os.stat(name.last, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode) and name.path:
            status = name.target()
    except OSError as error:
        if error.errno in _NOTHING:
            return False
        raise
    return bound.is_file(status, directory)


def _other_name(directory: int, bound: BoundSocket) -> bytes | None:
    """Return the name of the socket's file in a directory; None where it has none, or it may not be read."""
    try:
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    except PermissionError:
        return None
    try:
        with os.scandir(readable) as entries:
            for _, entry in zip(range(MAX_ENTRIES), entries, strict=False):
                # The inode of an entry costs no look at the file, and on some file systems it is another.
                if (entry.inode() ^ bound.inode) & _INODE_MASK == 0 and bound.is_file(
                    entry.stat(follow_symlinks=False), directory
                ):
                    return os.fsencode(entry.name)
    finally:
        os.close(readable)
    return None
