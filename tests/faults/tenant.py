"""A user without privileges on the host that is watched."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from functools import partial

import pytest

from testbed import syscalls
from testbed.forked_process import ForkedProcess

UID = 12345
_READY = b"r"
_REFUSED = b"n"


def may_open(files: int) -> int:
    """Let this process open so many files, or as many as it may; return how many that are."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = files if most == resource.RLIM_INFINITY else min(files, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return allowed


class Tenant(ForkedProcess):
    """A process of that user, which does something, keeps what that returns, and sleeps.

    With `own_namespaces` it is root of user and network namespaces of its own; skips the test where it may
    not make them. With `uid` it is another user.
    """

    def __init__(self, work: Callable[[], object], *, own_namespaces: bool = False, uid: int = UID) -> None:
        super().__init__(partial(_be, work, own_namespaces=own_namespaces, uid=uid))
        if self.report == _READY:
            return
        self.end()
        if self.report == _REFUSED:
            pytest.skip("users may make no namespaces here")
        pytest.fail("the process of a user ended before it was ready")


def _be(work: Callable[[], object], report_to: int, *, own_namespaces: bool, uid: int) -> None:
    os.chdir("/")
    if uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    # After that: another user clears it.
    syscalls.die_with_parent()
    if own_namespaces:
        try:
            syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)
        except OSError:
            os.write(report_to, _REFUSED)
            return
    kept = [work()]
    os.write(report_to, _READY)
    while kept:
        signal.pause()
