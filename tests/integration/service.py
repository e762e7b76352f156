"""A process with a command name that listens, as the programs do that the exporter watches."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

from testbed import syscalls

_PR_SET_NAME = 15


class Service:
    """A child that has set its command name, opened its sockets with `listen`, and sleeps.

    With `workers` it forks so many children after that, which hold the same sockets under another name.
    """

    def __init__(self, name: bytes, listen: Callable[[], list[socket.socket]], workers: int = 0) -> None:
        ready, report_ready = os.pipe()
        wait, self._leave = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._leave)
            self._serve(name, listen, workers, report_ready, wait)
        os.close(report_ready)
        os.close(wait)
        if os.read(ready, 1) != b"r":
            raise ChildProcessError("the service ended before it listened")
        os.close(ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it and its workers, also where this process may no longer send them a signal."""
        if self._pid:
            os.close(self._leave)
            os.waitpid(self._pid, 0)
            self._pid = 0

    @staticmethod
    def _serve(
        name: bytes, listen: Callable[[], list[socket.socket]], workers: int, report_ready: int, wait: int
    ) -> None:
        status = 1
        try:
            syscalls.die_with_parent()
            set_name(name)
            _open = listen()
            for _ in range(workers):
                if os.fork() == 0:
                    syscalls.die_with_parent()
                    set_name(b"worker")
                    os.close(report_ready)
                    break
            else:
                os.write(report_ready, b"r")
            os.read(wait, 1)
            status = 0
        finally:
            os._exit(status)


def set_name(name: bytes) -> None:
    """Set the command name of the calling process, of 15 bytes at most."""
    buffer = ctypes.create_string_buffer(name)
    syscalls.prctl(_PR_SET_NAME, ctypes.addressof(buffer))
