"""The capabilities of this process: which it has, and how it drops them for good.

Source: capabilities(7), capset(2), prctl(2); include/uapi/linux/capability.h and prctl.h.
"""

from __future__ import annotations

import ctypes
import enum
import os
import struct
from collections.abc import Collection
from typing import Final

from exporter import proc


class Capability(enum.IntEnum):
    """The three that reading other namespaces, and the processes of other users, needs."""

    # To open the directory /proc/<pid>/fd of another user.
    DAC_READ_SEARCH = 2
    # To read /proc/<pid>/ns and the links in /proc/<pid>/fd of another user.
    SYS_PTRACE = 19
    # setns().
    SYS_ADMIN = 21


# What it takes to enter another network namespace by a process in it.
ENTER: Final = frozenset({Capability.SYS_ADMIN, Capability.SYS_PTRACE})

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
# The arguments of capset(2).
_VERSION_3: Final = 0x20080522
_HEADER: Final = struct.Struct("=Ii")
# Effective, permitted and inheritable, the low 32 bits of all three before the high ones.
_SETS: Final = struct.Struct("=6I")
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_LOW_BITS: Final = 0xFFFFFFFF
# The kernel keeps a set in 64 bits.
_CAPABILITIES: Final = 64


def permitted() -> frozenset[Capability]:
    """Return which of the three this process may use. Raises OSError."""
    for line in proc.read_file("/proc/self/status").splitlines():
        if line.startswith(b"CapPrm:"):
            held = int(line.split()[1], 16)
            return frozenset(capability for capability in Capability if held >> capability & 1)
    return frozenset()


def keep_only(wanted: Collection[Capability]) -> None:
    """Keep these capabilities, as far as they are held, and drop every other one for good.

    To be called before there are threads: each has capabilities of its own. Neither this process nor a
    program that it starts gets any of them back (no_new_privs, bounding set). Raises OSError.
    """
    kept = sum(1 << capability for capability in permitted().intersection(wanted))
    for capability in range(_CAPABILITIES):
        # Refused where CAP_SETPCAP is not held, and for numbers that the kernel does not know.
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _check(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    low, high = kept & _LOW_BITS, kept >> 32
    _check(
        _LIBC.capset(
            _HEADER.pack(_VERSION_3, 0),
            _SETS.pack(low, low, 0, high, high, 0),
        )
    )


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
