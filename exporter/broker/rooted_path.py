"""Opening a path as another process would resolve it, without ever leaving its root.

openat2(2) does the same with RESOLVE_IN_ROOT, and whoever may call it may open files for writing too: its
flags lie in memory, where a filter of system calls cannot see them. So each component is opened by itself,
and the kernel follows no link. `..` leads back to the directory that was opened before, wherever that is now.

Links of procfs lead to what processes have, and out of any root (RESOLVE_NO_MAGICLINKS), so they fail with
ELOOP. Source: path_resolution(7), openat2(2).
"""

from __future__ import annotations

import enum
import errno
import os
from collections import deque
from typing import Final

from exporter.broker.file_system import PROC, file_system_type

# The components of a path and of the links in it; more of them count as a loop.
_MAX_COMPONENTS: Final = 256
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY


class Resolve(enum.Enum):
    """How a path is resolved."""

    # The directory is the root of the path.
    IN_ROOT = enum.auto()
    # What leads out of the directory fails with EXDEV.
    BENEATH = enum.auto()
    # The directory is the root of the path, and any link fails with ELOOP.
    NO_SYMLINKS = enum.auto()


def open_path(directory: int, path: bytes, flags: int, resolve: Resolve) -> int:
    """Open a path from a directory on and return its descriptor. Raises OSError.

    A path that ends with `/` or `..` is opened with O_PATH, whatever the flags.
    """
    left = _components(path, resolve)
    # The directories on the way, each in the one before it.
    opened: list[int] = []
    try:
        for _ in range(_MAX_COMPONENTS + 1):
            if not left:
                return opened.pop() if opened else _open(b".", flags, directory)
            name, here = left.popleft(), opened[-1] if opened else directory
            if name == b"..":
                _go_up(opened, resolve)
            elif name not in {b"", b"."}:
                link = _link(here, name)
                if link is None:
                    opened.append(_open(name, _DIRECTORY if left else flags, here))
                    continue
                if resolve is Resolve.NO_SYMLINKS or file_system_type(here) == PROC:
                    break
                left.extendleft(reversed(_components(link, resolve)))
                if link.startswith(b"/"):
                    _close(opened)
        raise _failure(errno.ELOOP)
    finally:
        _close(opened)


def _components(path: bytes, resolve: Resolve) -> deque[bytes]:
    if not path:
        raise _failure(errno.ENOENT)
    if resolve is Resolve.BENEATH and path.startswith(b"/"):
        raise _failure(errno.EXDEV)
    return deque(path.split(b"/"))


def _go_up(opened: list[int], resolve: Resolve) -> None:
    """Leave a directory; the parent of the root is the root."""
    if opened:
        os.close(opened.pop())
    elif resolve is Resolve.BENEATH:
        raise _failure(errno.EXDEV)


def _link(directory: int, name: bytes) -> bytes | None:
    """Return what a symbolic link says, None for what is none."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return None


def _open(name: bytes, flags: int, directory: int) -> int:
    """Open what is no link; of one that is made meanwhile, O_PATH opens the link itself."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)


def _close(opened: list[int]) -> None:
    while opened:
        os.close(opened.pop())


def _failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))
