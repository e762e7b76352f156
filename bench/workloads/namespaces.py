"""Many network namespaces, each with listeners and one process that does nothing else."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, Self

from bench.workloads import socket_process
from bench.workloads.socket_process import SocketCounts
from testbed import syscalls


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The number of network namespaces, and of TCP listeners in each."""

    namespaces: int
    listeners: int

    def __str__(self) -> str:
        return f"{self.namespaces:,} namespaces with {self.listeners:,} listeners each"


class OpenNamespaces:
    """The namespaces, which exist while this context is open. It needs CAP_SYS_ADMIN.

    A namespace exists as long as its process, and that ends with the process that made it.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.pids: list[int] = []
        self.setup_seconds = 0.0

    def __enter__(self) -> Self:
        started = time.perf_counter()
        try:
            self._open()
        except BaseException:
            self._end()
            raise
        self.setup_seconds = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _open(self) -> None:
        reading, writing = os.pipe()
        with os.fdopen(reading) as answers:
            try:
                for _ in range(self.namespaces.namespaces):
                    self._fork(writing)
            finally:
                os.close(writing)
            # Each process closes its end after its line, so the file ends even where one dies without a line.
            lines = answers.read().splitlines()
        failed = next((line for line in lines if line), "died before it was ready")
        if len(lines) < self.namespaces.namespaces or any(lines):
            raise RuntimeError(f"a process that holds a namespace failed: {failed}")

    def _fork(self, answer: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _hold(self.namespaces.listeners, answer, parent)
        self.pids.append(pid)

    def _end(self) -> None:
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        while self.pids:
            with suppress(ChildProcessError):
                os.waitpid(self.pids.pop(), 0)


def _hold(listeners: int, answer: int, parent: int) -> NoReturn:
    """Write an empty line once the listeners are open, or the error, and wait until the parent ends."""
    try:
        line = ""
        try:
            syscalls.die_with_parent()
            syscalls.unshare(syscalls.CLONE_NEWNET)
            opened = socket_process.listen(SocketCounts(listeners))
        except OSError as error:
            line, opened = str(error), []
        os.write(answer, f"{line}\n".encode())
        os.close(answer)
        while opened and os.getppid() == parent:
            signal.pause()
    finally:
        os._exit(0)
