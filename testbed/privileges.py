"""Giving up root, as an exporter that runs as a daemon's user would find itself."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import syscalls

NOBODY = 65534

_CAP_SYS_ADMIN = 21
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPABILITY_VERSION_3 = 0x20080522


def drop_to(uid: int = NOBODY) -> None:
    """Become user and group `uid` with no capability and no way back.

    Skips the test where the process may not change its user, as in a user namespace. The interpreter may lie
    where the new user cannot reach it: import all that is needed before, and do not start it again after.
    """
    if os.geteuid() != 0 or not _is_mapped(uid):
        pytest.skip(f"only root outside a user namespace can become user {uid}")
    last_capability = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last_capability + 1):
        syscalls.prctl(_PR_CAPBSET_DROP, capability)
    syscalls.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _empty_capability_sets()
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # A process that changed its user may not look into its own /proc/self, one that was started as it may.
    syscalls.prctl(_PR_SET_DUMPABLE, 1)
    syscalls.die_with_parent()


@contextlib.contextmanager
def without_root(uid: int = NOBODY) -> Iterator[int]:
    """Act as another user for a while where this one is root; yields the user that acts.

    The kernel makes a process that changed its user one that others may not look at, and so are those that it
    forks later (commit_creds, kernel/cred.c). That is taken back as well.
    """
    user = os.geteuid()
    if user == 0:
        os.seteuid(uid)
    try:
        yield os.geteuid()
    finally:
        os.seteuid(user)
        syscalls.prctl(_PR_SET_DUMPABLE, 1)


def deny_other_namespaces() -> None:
    """Keep what is started next out of other network namespaces, which are the machine's and no test's.

    To be called between fork and exec: root gets no capability that is not in the bounding set.
    """
    with contextlib.suppress(PermissionError):
        syscalls.prctl(_PR_CAPBSET_DROP, _CAP_SYS_ADMIN)
    syscalls.die_with_parent()


def _is_mapped(uid: int) -> bool:
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= uid < first + count:
            return True
    return False


def _empty_capability_sets() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)()
    syscalls.call("capset", header, effective_permitted_inheritable)


def held() -> dict[str, int]:
    """The capability sets of this process by their names in /proc/self/status, as bit masks."""
    sets = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.startswith("Cap"):
            with contextlib.suppress(ValueError):
                sets[name] = int(value, 16)
    return sets
