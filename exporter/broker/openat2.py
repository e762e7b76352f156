"""Opening a path as another process would resolve it, without ever leaving its root.

Source: openat2(2), include/uapi/linux/openat2.h. The call came with Linux 5.6; its number is the same on
every architecture but Alpha. Where the kernel, or a seccomp filter, does not know it, it fails with ENOSYS or
EPERM, and nothing is opened.
"""

from __future__ import annotations

import ctypes
import enum
import os
import struct
from contextlib import suppress
from typing import Final

from exporter import libc

_OPENAT2: Final = 437
# struct open_how: flags, mode, resolve.
_HOW: Final = struct.Struct("=QQQ")
# A path with `..` fails with EAGAIN while anything on the machine is renamed or mounted (openat2(2)).
_TRIES: Final = 8


class Resolve(enum.IntFlag):
    """How a path is resolved."""

    # Links that lead out of any root, as those in /proc/<pid>/fd do, fail with ELOOP.
    NO_MAGICLINKS = 0x02
    # Any link at all fails with ELOOP.
    NO_SYMLINKS = 0x04
    # What leads out of the directory fails with EXDEV.
    BENEATH = 0x08
    # The directory is the root of the path.
    IN_ROOT = 0x10


def openat2(directory: int, path: bytes, flags: int, resolve: Resolve) -> int:
    """Open a path from a directory on and return its descriptor. Raises OSError."""
    how = _HOW.pack(flags | os.O_CLOEXEC, 0, resolve | Resolve.NO_MAGICLINKS)
    numbers = map(ctypes.c_long, (_OPENAT2, directory))
    arguments = (*numbers, ctypes.c_char_p(path), ctypes.c_char_p(how), ctypes.c_size_t(len(how)))
    for _ in range(_TRIES - 1):
        with suppress(BlockingIOError):
            return libc.call("syscall", *arguments)
    return libc.call("syscall", *arguments)
