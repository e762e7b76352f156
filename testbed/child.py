"""A function run in a forked process with its own network, mount and PID namespace, and its result.

Three processes take part: one that makes the namespaces, process 1 of the new PID namespace, and the one that
calls the function. When process 1 ends, the kernel ends every process of the namespace, so nothing that the
function started outlives it. /proc shows these processes alone. Standard output and error are inherited, so
that pytest captures them.
"""

from __future__ import annotations

import contextlib
import enum
import faulthandler
import gc
import os
import pickle
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import NoReturn

import coverage

from testbed import namespace, syscalls

# After the deadline, for the function's process to write its stack to standard error.
_STACK_SECONDS = 0.3


class Ending(enum.Enum):
    """How the function ended, or why it was not called."""

    PASSED = enum.auto()
    SKIPPED = enum.auto()
    XFAILED = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run: for FAILED `detail` is what pytest prints, else the reason.

    `figures` are what the test has measured (testbed.figures).
    """

    ending: Ending
    detail: object = ""
    log: str = ""
    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _InitStarted:
    """The PID of process 1 of the new namespace, as the parent sees it."""

    pid: int


@dataclass(frozen=True, slots=True)
class _Exited:
    """The wait status of the process that called the function."""

    status: int


def run(body: Callable[[], Outcome], timeout_seconds: float | None) -> Outcome:
    """Call `body` in a process with namespaces of its own; no process of it is left on return.

    A process that ends without an outcome, or is not done in time, is FAILED with a text that says so.
    """
    receiver, sender = Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = _fork()
    if pid == 0:
        receiver.close()
        _make_namespaces(body, sender, timeout_seconds)
    sender.close()
    with receiver:
        return _Run(pid, receiver).outcome(timeout_seconds)


class _Run:
    """The parent's view of the processes of one run."""

    def __init__(self, pid: int, receiver: Connection) -> None:
        self._pid = pid
        self._receiver = receiver
        self._init_pidfd: int | None = None

    def outcome(self, timeout_seconds: float | None) -> Outcome:
        try:
            return self._receive(timeout_seconds)
        finally:
            self._end()

    def _receive(self, timeout_seconds: float | None) -> Outcome:
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds + _STACK_SECONDS
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._receiver.poll(left):
                return Outcome(
                    Ending.FAILED,
                    f"hung for {timeout_seconds:g} s and was killed; its stack is in the captured stderr",
                )
            try:
                message = self._receiver.recv()
            except EOFError:
                return Outcome(Ending.FAILED, "the processes of the test were killed")
            match message:
                case Outcome():
                    return message
                case _Exited():
                    return Outcome(Ending.FAILED, _describe_exit(message.status))
                case _InitStarted():
                    # Process 1 may have ended by now, and then nothing is left to be killed.
                    with contextlib.suppress(ProcessLookupError):
                        self._init_pidfd = os.pidfd_open(message.pid)

    def _end(self) -> None:
        if self._init_pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_pidfd, signal.SIGKILL)
            # Process 1 ends after every other process of its namespace (kernel/pid_namespace.c).
            select.select([self._init_pidfd], [], [])
            os.close(self._init_pidfd)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _describe_exit(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"the process of the test died by {signal.Signals(-code).name}"
    return f"the process of the test exited with status {code} before the test was done"


def _make_namespaces(
    body: Callable[[], Outcome], sender: Connection, timeout_seconds: float | None
) -> NoReturn:
    try:
        parent = os.getppid()
        os.setsid()
        try:
            namespace.enter()
            syscalls.unshare(syscalls.CLONE_NEWPID)
        except (namespace.NamespaceUnavailableError, OSError) as unavailable:
            sender.send(Outcome(Ending.SKIPPED, str(unavailable)))
            os._exit(0)
        # After the namespaces: the capabilities gained in a user namespace would undo it.
        _die_with(parent)
        init = _fork()
        if init == 0:
            _be_init(body, sender, timeout_seconds)
        sender.send(_InitStarted(init))
        os.waitpid(init, 0)
    finally:
        os._exit(1)


def _be_init(body: Callable[[], Outcome], sender: Connection, timeout_seconds: float | None) -> NoReturn:
    """Start the process that calls the function, and reap every process until that one has ended."""
    try:
        syscalls.die_with_parent()
        try:
            syscalls.mount_proc()
        except OSError as refused:
            sender.send(Outcome(Ending.SKIPPED, f"cannot mount /proc in a PID namespace: {refused}"))
            os._exit(0)
        pid = _fork()
        if pid == 0:
            _call(body, sender, timeout_seconds)
        ended, status = os.wait()
        while ended != pid:
            ended, status = os.wait()
        sender.send(_Exited(status))
    finally:
        os._exit(0)


def _call(body: Callable[[], Outcome], sender: Connection, timeout_seconds: float | None) -> NoReturn:
    status = 1
    # What is garbage since before the fork may have descriptors: none is to be closed while a test counts
    # those that it has open.
    gc.freeze()
    try:
        faulthandler.register(signal.SIGALRM, file=2, all_threads=True)
        signal.setitimer(signal.ITIMER_REAL, timeout_seconds or 0)
        with _coverage_of_its_own():
            outcome = body()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            sender.send(outcome)
        except (pickle.PicklingError, TypeError, AttributeError):
            sender.send(Outcome(outcome.ending, str(outcome.detail), outcome.log))
        status = 0
    except BaseException:  # noqa: BLE001  (nothing above this fork would show it)
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


@contextlib.contextmanager
def _coverage_of_its_own() -> Iterator[None]:
    """Where pytest runs under coverage, write what this process runs to a file of its own."""
    measured = coverage.Coverage.current()
    if measured is None:
        yield
        return
    measured.stop()
    own = coverage.Coverage(data_suffix=True)
    own.start()
    try:
        yield
    finally:
        own.stop()
        # The test may have given up the right to write there.
        with contextlib.suppress(OSError, coverage.CoverageException):
            own.save()


def _die_with(parent: int) -> None:
    syscalls.die_with_parent()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 and newer warn of a fork beside threads; the child uses no lock of another thread.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
