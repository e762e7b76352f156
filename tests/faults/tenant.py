"""A user without privileges on the host that is watched."""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

from testbed import syscalls

UID = 12345
_REFUSED = b"n"


def may_open(files: int) -> int:
    """Let this process open so many files, or as many as it may; return how many that are."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = files if most == resource.RLIM_INFINITY else min(files, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return allowed


class Tenant:
    """A process of that user, which does something, keeps what that returns, and sleeps.

    With `own_namespaces` it is root of user and network namespaces of its own; skips the test where it may
    not make them. With `uid` it is another user.
    """

    def __init__(self, work: Callable[[], object], *, own_namespaces: bool = False, uid: int = UID) -> None:
        ready, report_ready = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _be(work, report_ready, own_namespaces=own_namespaces, uid=uid)
        os.close(report_ready)
        answer = os.read(ready, 1)
        os.close(ready)
        if answer == b"r":
            return
        self.end()
        if answer == _REFUSED:
            pytest.skip("users may make no namespaces here")
        pytest.fail("the process of a user ended before it was ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Kill it."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0


def _be(work: Callable[[], object], report_ready: int, *, own_namespaces: bool, uid: int) -> None:
    try:
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
                os.write(report_ready, _REFUSED)
                os._exit(1)
        kept = [work()]
        os.write(report_ready, b"r")
        while kept:
            signal.pause()
    except BaseException:  # noqa: BLE001  (nothing above this fork would show it)
        sys.stderr.write(traceback.format_exc())
    finally:
        os._exit(1)
