"""A process that holds a network namespace and its listeners, as one of a pod does."""

from __future__ import annotations

import os
import random
import signal
import time
import warnings
from contextlib import suppress
from typing import Final, NoReturn

from bench.workloads import socket_process
from bench.workloads.socket_process import SocketCounts
from testbed import namespace, syscalls

# In so many seconds there is a connection at each listener.
_TRAFFIC_SECONDS: Final = 1.0


def fork(counts: SocketCounts, answer: int, *, traffic: bool = False) -> int:
    """Start one and return its id. It needs CAP_SYS_ADMIN, and ends with the caller.

    Once its listeners are open it writes an empty line to the descriptor `answer`, or the error, and closes
    it. `lo` is up in the namespace, which exists as long as the process. With `traffic` it connects to each
    TCP listener once a second.
    """
    parent = os.getpid()
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside threads; the child does only what is written here.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _hold(counts, answer, parent, traffic=traffic)
    return pid


def kill(pid: int) -> None:
    """End one with SIGKILL, and with it the namespace."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait(pid: int) -> None:
    """Return once it has ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def raise_error(lines: list[str], processes: int) -> None:
    """Raise RuntimeError where one of these lines is an error, or there are fewer than processes."""
    failed = next((line for line in lines if line), "died before it was ready")
    if len(lines) < processes or any(lines):
        raise RuntimeError(f"a process that holds a namespace failed: {failed}")


def _hold(counts: SocketCounts, answer: int, parent: int, *, traffic: bool) -> NoReturn:
    try:
        line = ""
        try:
            syscalls.die_with_parent()
            syscalls.unshare(syscalls.CLONE_NEWNET)
            namespace.bring_up("lo")
            listeners = socket_process.listen(counts)
            opened = listeners + socket_process.listen_unix(counts.unix_listeners)
        except OSError as error:
            line, opened, listeners = str(error), [], []
        os.write(answer, f"{line}\n".encode())
        os.close(answer)
        # At another time of the second in each.
        time.sleep(random.Random(os.getpid()).random() if traffic else 0.0)  # noqa: S311 # no secret depends on it
        while opened and os.getppid() == parent:
            if traffic and listeners:
                socket_process.connect_once(listeners, _TRAFFIC_SECONDS)
            else:
                signal.pause()
    finally:
        os._exit(0)
