"""A network namespace for the calling process, as root or as anybody."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path

from testbed import syscalls

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1

_NAMED = Path("/run/netns")


class NamespaceUnavailableError(Exception):
    """This machine or user may not make network namespaces; the text says what was refused."""


def enter() -> int:
    """Move the process to a new network namespace with `lo` up, and return the namespace's inode.

    Root makes a network and a mount namespace, in which no namespace of the machine has a name. Others
    make a user namespace as well and are root in it, so that they too may configure the network. Raises
    NamespaceUnavailableError.
    """
    user, group = os.geteuid(), os.getegid()
    flags = syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS
    if user != 0:
        flags |= syscalls.CLONE_NEWUSER
    try:
        syscalls.unshare(flags)
        if user != 0:
            become_root(user, group)
        syscalls.keep_mounts_private()
        if user == 0 and _may_mount_over_run():
            hide_named()
        bring_up("lo")
    except OSError as refused:
        kind = "network namespace" if user == 0 else "network namespace in a user namespace"
        raise NamespaceUnavailableError(f"cannot make a {kind}: {refused}") from refused
    return Path("/proc/self/ns/net").stat().st_ino


def hide_named() -> None:
    """Give the process an empty /run/netns, so that `ip netns add` leaves nothing on the machine."""
    _NAMED.mkdir(exist_ok=True)
    syscalls.mount_empty(str(_NAMED))


def _may_mount_over_run() -> bool:
    """Tell whether this is the root of the machine; that of a user namespace may not write to /run."""
    return Path("/proc/self/uid_map").read_text().split()[2] != "1"


def write_sysctl(name: str, value: int | str) -> None:
    """Set a sysctl of this namespace by its dotted name."""
    Path("/proc/sys", *name.split(".")).write_text(f"{value}\n")


def become_root(user: int, group: int) -> None:
    """Map a user and group to root of the user namespace that this process has just made."""
    # The kernel takes a group map from an unprivileged process only once setgroups is given up.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def bring_up(interface: str) -> None:
    """Set a network interface up. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sH22x", interface.encode(), 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(handle, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH22x", interface.encode(), flags | _IFF_UP))
