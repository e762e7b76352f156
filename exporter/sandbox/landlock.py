"""Landlock: files can be read and nothing else be done to them, and signals reach nobody else.

Source: landlock(7), include/uapi/linux/landlock.h, Documentation/userspace-api/landlock.rst. It came with
Linux 5.13. A process that is restricted may look at no process outside: it cannot be used where
/proc/<pid>/fd or /proc/<pid>/ns of others are read.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

from exporter import libc

# The same numbers on every architecture.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_CREATE_RULESET_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1

# What is restricted of files: LANDLOCK_ACCESS_FS_*. EXECUTE and WRITE_FILE are followed by the two that stay,
# then come those that change directories, then REFER, TRUNCATE and IOCTL_DEV of later versions.
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_FS_BITS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
# LANDLOCK_ACCESS_NET_BIND_TCP, of version 4, and LANDLOCK_SCOPE_SIGNAL, of version 6.
_BIND_TCP: Final = 1 << 0
_SCOPE_SIGNAL: Final = 1 << 1
_NET_VERSION: Final = 4
_SCOPE_VERSION: Final = 6
# struct landlock_ruleset_attr by version, and struct landlock_path_beneath_attr, which is packed.
_RULESET: Final = struct.Struct("=QQQ")
_FS_BYTES: Final = 8
_NET_BYTES: Final = 16
_PATH_BENEATH: Final = struct.Struct("=Qi")


def version() -> int:
    """Return the version of Landlock that the kernel has. Raises OSError: ENOSYS or EOPNOTSUPP for none."""
    return _call(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)


def read_only() -> None:
    """Let this thread, and all that it starts, read files and do nothing else to them, for good.

    Nor can it bind TCP ports, from version 4, or send signals to other processes, from version 6. The process
    must have set no_new_privs. Raises OSError.
    """
    ruleset = _ruleset(version())
    try:
        root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _PATH_BENEATH.pack(_READ_FILE | _READ_DIR, root)
            _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        finally:
            os.close(root)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _ruleset(known: int) -> int:
    bits = max(count for since, count in _FS_BITS.items() if since <= known)
    net = _BIND_TCP if known >= _NET_VERSION else 0
    scoped = _SCOPE_SIGNAL if known >= _SCOPE_VERSION else 0
    attributes = _RULESET.pack((1 << bits) - 1, net, scoped)
    size = _FS_BYTES
    if known >= _NET_VERSION:
        size = _NET_BYTES
    if known >= _SCOPE_VERSION:
        size = _RULESET.size
    return _call(_CREATE_RULESET, attributes, size, 0)


def _call(number: int, *arguments: int | bytes | None) -> int:
    passed = (
        ctypes.c_char_p(each) if isinstance(each, bytes | None) else ctypes.c_long(each) for each in arguments
    )
    return libc.call("syscall", ctypes.c_long(number), *passed)
