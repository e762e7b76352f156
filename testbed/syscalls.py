"""Calls to Linux that Python 3.11 does not offer."""

from __future__ import annotations

import ctypes
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000

_MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library; OSError with the function's name where it returns -1."""
    result = int(getattr(_libc, name)(*arguments))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def prctl(option: int, *arguments: int) -> int:
    """prctl(2): every argument is passed as unsigned long, as the kernel demands zeros in those not used."""
    padded = [*arguments, 0, 0, 0, 0][:4]
    return call("prctl", option, *(ctypes.c_ulong(argument) for argument in padded))


def unshare(flags: int) -> None:
    """unshare(2) for the calling thread."""
    call("unshare", flags)


def keep_mounts_private() -> None:
    """Let no mount made from here on be seen outside this mount namespace."""
    call("mount", None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)


def mount_empty(folder: str) -> None:
    """Lay an empty tmpfs over `folder`."""
    call("mount", b"tmpfs", folder.encode(), b"tmpfs", ctypes.c_ulong(0), None)


def mount_proc() -> None:
    """Mount a /proc of the PID namespace of this process over the present one."""
    call("mount", b"proc", b"/proc", b"proc", ctypes.c_ulong(0), None)


def mount_same(source: str, target: str) -> None:
    """Have a file show at a second place as well; a namespace's file keeps the namespace alive there."""
    call("mount", source.encode(), target.encode(), None, ctypes.c_ulong(_MS_BIND), None)


def unmount(target: str) -> None:
    """Undo a mount, also while it is in use."""
    call("umount2", target.encode(), _MNT_DETACH)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; a change of user or capabilities undoes it."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
