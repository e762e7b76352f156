"""The capabilities of this process: which it has, and how it drops them for good.

Source: capabilities(7), capset(2), prctl(2); include/uapi/linux/capability.h and prctl.h.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from exporter import libc, proc


class Capability(enum.IntEnum):
    """Those that reading other namespaces, and the files and processes of other users, needs."""

    # To open the directory /proc/<pid>/fd of another user.
    DAC_READ_SEARCH = 2
    # To read /proc/<pid>/ns and the links in /proc/<pid>/fd of another user.
    SYS_PTRACE = 19
    # setns().
    SYS_ADMIN = 21


# What it takes to enter another network namespace by a process in it.
ENTER: Final = frozenset({Capability.SYS_ADMIN, Capability.SYS_PTRACE})

# What it takes to see which sockets the processes of other users hold.
SEE_SOCKETS: Final = frozenset({Capability.SYS_PTRACE, Capability.DAC_READ_SEARCH})

# To kill the processes of another user (CAP_KILL).
KILL: Final = 5

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
    """Return which of these this process may use. Raises OSError."""
    held = _permitted()
    return frozenset(capability for capability in Capability if held >> capability & 1)


def keep_only(wanted: Collection[int], *, in_use: bool = True) -> None:
    """Keep these capabilities, as far as they are held, and drop every other one for good.

    Those that are not `in_use` have no effect until this is called again. To be called before there are
    threads: each has capabilities of its own. Neither this process nor a program that it starts gets any of
    the others back (no_new_privs, bounding set). Raises OSError.
    """
    kept = sum(1 << capability for capability in set(wanted)) & _permitted()
    for capability in range(_CAPABILITIES):
        # Refused where CAP_SETPCAP is not held, and for numbers that the kernel does not know.
        with suppress(OSError):
            libc.prctl(_PR_CAPBSET_DROP, capability)
    # A kernel before Linux 4.3 has no ambient set.
    with suppress(OSError):
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _set(kept if in_use else 0, kept)


def use_all() -> None:
    """Have every capability take effect that is held. Raises OSError."""
    held = _permitted()
    _set(held, held)


def _permitted() -> int:
    for line in proc.read_file("/proc/self/status").splitlines():
        if line.startswith(b"CapPrm:"):
            return int(line.split()[1], 16)
    return 0


def _set(effective: int, held: int) -> None:
    sets = [(bits & _LOW_BITS, bits >> 32) for bits in (effective, held, 0)]
    low, high = zip(*sets, strict=True)
    libc.call("capset", _HEADER.pack(_VERSION_3, 0), _SETS.pack(*low, *high))
