"""Making threads of a process hang while another goes on, as a thread does that waits for a broken disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from testbed import syscalls
from testbed.waiting import until

# include/uapi/linux/ptrace.h
_PTRACE_DETACH = 17
_PTRACE_SEIZE = 0x4206
_PTRACE_INTERRUPT = 0x4207
# __WALL, to wait for threads of other processes: include/uapi/linux/wait.h
_WALL = 0x40000000


@contextmanager
def but_first_thread(pid: int, is_alive: Callable[[], bool]) -> Iterator[None]:
    """Stop every thread of a process but its first while the body runs.

    A thread may be caught while it holds what the first needs, so they are let go and caught again until
    `is_alive` says that the process answers.
    """
    threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]

    def catch() -> bool:
        for thread in threads:
            syscalls.call("ptrace", _PTRACE_SEIZE, thread, 0, 0)
            syscalls.call("ptrace", _PTRACE_INTERRUPT, thread, 0, 0)
            os.waitpid(thread, _WALL)
        if is_alive():
            return True
        _let_go(threads)
        return False

    until(catch, bool)
    try:
        yield
    finally:
        # A process of which a thread is held cannot be waited for.
        _let_go(threads)


def _let_go(threads: list[int]) -> None:
    for thread in threads:
        with suppress(OSError):
            syscalls.call("ptrace", _PTRACE_DETACH, thread, 0, 0)
