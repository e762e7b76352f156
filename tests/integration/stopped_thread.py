"""One thread of a process that is stopped while the others go on, as in a system call that never returns.

The thread is stopped by ptrace(2), so nothing in the process has to be prepared for it.
"""

from __future__ import annotations

import contextlib
import http.client
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed import syscalls

_PTRACE_DETACH = 17
_PTRACE_SEIZE = 0x4206
_PTRACE_INTERRUPT = 0x4207
# Of wait(2): threads as well as children.
_WALL = 0x40000000
_TRIES = 50


@contextmanager
def sampler_of(pid: int, scrape: Callable[[], object]) -> Iterator[None]:
    """Stop the sampling thread of an exporter, and continue it at the end.

    `scrape` gets a page of it: the thread is not stopped where it holds a lock that others wait for.
    """
    for _ in range(_TRIES):
        with _stopped(_sampling_thread(pid)):
            try:
                scrape()
            except (OSError, http.client.HTTPException):
                continue
            yield
            return
    pytest.fail(f"process {pid} never answered while its sampler was stopped")


def _sampling_thread(pid: int) -> int:
    """The exporter's first thread serves, the second writes the log, and the third samples."""
    return sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())[2]


@contextmanager
def _stopped(thread: int) -> Iterator[None]:
    syscalls.call("ptrace", _PTRACE_SEIZE, thread, None, None)
    try:
        syscalls.call("ptrace", _PTRACE_INTERRUPT, thread, None, None)
        os.waitpid(thread, _WALL)
        yield
    finally:
        try:
            syscalls.call("ptrace", _PTRACE_DETACH, thread, None, None)
        except ProcessLookupError:
            # It was killed, and its process is not gone before this is known.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(thread, _WALL)
