"""A load of many network namespaces, each with listeners and one process that does nothing else."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, Self

from bench import holder
from bench.holder import Share
from testbed import syscalls


@dataclass(frozen=True, slots=True)
class NamespacesLoad:
    """How many network namespaces, and how many TCP listeners in each."""

    namespaces: int
    listeners: int

    def __str__(self) -> str:
        return f"{self.namespaces:,} namespaces with {self.listeners:,} listeners each"


class HeldNamespaces:
    """Such a load, which stands while this context is open. It needs CAP_SYS_ADMIN.

    A namespace lives as long as its process, and that ends with the process that built the load.
    """

    def __init__(self, load: NamespacesLoad) -> None:
        """Nothing is made before the context is entered."""
        self.load = load
        self.pids: list[int] = []
        self.build_seconds = 0.0

    def __enter__(self) -> Self:
        started = time.perf_counter()
        try:
            self._build()
        except BaseException:
            self._end()
            raise
        self.build_seconds = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _build(self) -> None:
        reading, writing = os.pipe()
        with os.fdopen(reading) as answers:
            try:
                for _ in range(self.load.namespaces):
                    self._fork(writing)
            finally:
                os.close(writing)
            # Each process closes its end when it has spoken, so one that dies unheard is no reason to wait.
            said = answers.read().splitlines()
        failed = next((line for line in said if line), "died before it was ready")
        if len(said) < self.load.namespaces or any(said):
            raise RuntimeError(f"a process that holds a namespace failed: {failed}")

    def _fork(self, answer: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _hold(self.load.listeners, answer, parent)
        self.pids.append(pid)

    def _end(self) -> None:
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        while self.pids:
            with suppress(ChildProcessError):
                os.waitpid(self.pids.pop(), 0)


def _hold(listeners: int, answer: int, parent: int) -> NoReturn:
    try:
        said = ""
        try:
            syscalls.die_with_parent()
            syscalls.unshare(syscalls.CLONE_NEWNET)
            opened = holder.listen(Share(listeners))
        except OSError as error:
            said, opened = str(error), []
        os.write(answer, f"{said}\n".encode())
        os.close(answer)
        while opened and os.getppid() == parent:
            signal.pause()
    finally:
        os._exit(0)
