"""A function run in a forked process with a network namespace of its own, and how it ended.

The child leads a session and a process group, so that whatever it starts can be killed with it; processes
that left the group are found by their namespace. Standard output and error are inherited, so pytest's capture
gets them.
"""

from __future__ import annotations

import contextlib
import enum
import faulthandler
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import NoReturn

from testbed import namespace, syscalls

_TIME_TO_SHOW_A_STACK_SECONDS = 0.3


class Ending(enum.Enum):
    """How the function ended, or why it never began."""

    PASSED = enum.auto()
    SKIPPED = enum.auto()
    XFAILED = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the child has to say: for FAILED `detail` is what pytest prints, else the reason."""

    ending: Ending
    detail: object = ""
    log: str = ""


def run(body: Callable[[], Outcome], timeout_seconds: float | None) -> Outcome:
    """Call `body` in a child with a namespace of its own; when this returns or raises, nothing of it is left.

    A child that ends without a word, or is not done in time, is FAILED with a text that says so.
    """
    receiver, sender = Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside threads; the child only runs what the test brings.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        receiver.close()
        _be_the_child(body, sender)
    sender.close()
    with receiver:
        return _Parent(pid, receiver).outcome(timeout_seconds)


class _Parent:
    """The side that waits."""

    def __init__(self, pid: int, receiver: Connection) -> None:
        self._pid = pid
        self._receiver = receiver
        self._namespace: int | None = None
        self._status: int | None = None

    def outcome(self, timeout_seconds: float | None) -> Outcome:
        pidfd = os.pidfd_open(self._pid)
        try:
            heard = self._listen(pidfd, timeout_seconds)
        finally:
            os.close(pidfd)
            self._end()
        return heard or Outcome(Ending.FAILED, self._last_words())

    def _listen(self, pidfd: int, timeout_seconds: float | None) -> Outcome | None:
        while True:
            ready = wait([self._receiver, pidfd], timeout_seconds)
            if not ready:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGQUIT)
                wait([pidfd], _TIME_TO_SHOW_A_STACK_SECONDS)
                return Outcome(
                    Ending.FAILED,
                    f"hung for {timeout_seconds:g} s and was killed; its stack is in the captured stderr",
                )
            if not self._receiver.poll():
                return None
            try:
                message = self._receiver.recv()
            except EOFError:
                wait([pidfd], timeout_seconds)
                return None
            if isinstance(message, Outcome):
                return message
            self._namespace = message

    def _end(self) -> None:
        # The group goes before its leader is reaped: until then no other group can have its number.
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                kill(self._pid, signal.SIGKILL)
        _, self._status = os.waitpid(self._pid, 0)
        if self._namespace is not None:
            _kill_all_in(self._namespace)

    def _last_words(self) -> str:
        code = os.waitstatus_to_exitcode(self._status or 0)
        if code < 0:
            return f"the process of the test died by {signal.Signals(-code).name}"
        return f"the process of the test exited with status {code} before the test was done"


def _kill_all_in(inode: int) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        # Processes end while this loop runs, and other users' may not be looked into.
        with contextlib.suppress(OSError):
            if (process / "ns/net").stat().st_ino == inode:
                os.kill(int(process.name), signal.SIGKILL)


def _be_the_child(body: Callable[[], Outcome], sender: Connection) -> NoReturn:
    status = 1
    try:
        parent = os.getppid()
        os.setsid()
        faulthandler.register(signal.SIGQUIT, file=2, all_threads=True)
        outcome = _in_namespace(body, sender, parent)
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            sender.send(outcome)
        except (pickle.PicklingError, TypeError, AttributeError):
            sender.send(Outcome(outcome.ending, str(outcome.detail), outcome.log))
        status = 0
    finally:
        os._exit(status)


def _in_namespace(body: Callable[[], Outcome], sender: Connection, parent: int) -> Outcome:
    try:
        sender.send(namespace.enter())
    except namespace.NamespaceUnavailableError as unavailable:
        return Outcome(Ending.SKIPPED, str(unavailable))
    # After the namespace: the capabilities gained in a user namespace would undo it.
    syscalls.die_with_parent()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return body()
