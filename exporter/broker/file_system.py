"""The type of a file system (statfs(2), include/uapi/linux/magic.h)."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from exporter import libc

PROC: Final = 0x9FA0
OVERLAYFS: Final = 0x794C7630
BTRFS: Final = 0x9123683E
_STATFS_BYTES: Final = 256


def file_system_type(descriptor: int) -> int:
    """Return f_type of fstatfs(2), which is the first field on every architecture. Raises OSError."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    libc.call("fstatfs", descriptor, buffer)
    # It has 32 bits on some architectures, and the known numbers fit into them.
    narrow = int.from_bytes(buffer.raw[:4], sys.byteorder)
    return narrow or int.from_bytes(buffer.raw[:8], sys.byteorder)
