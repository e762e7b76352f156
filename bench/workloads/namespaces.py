"""Many network namespaces, each with listeners and one process that does nothing else."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.workloads import namespace_process
from bench.workloads.socket_process import SocketCounts


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The number of network namespaces, and of TCP and unix listeners in each.

    With `traffic` a client connects to each TCP listener once a second, and is accepted at once.
    """

    namespaces: int
    tcp: int
    unix: int = 0
    traffic: bool = False

    def __str__(self) -> str:
        text = f"{self.namespaces:,} namespaces with {self.tcp + self.unix:,} listeners each"
        return f"{text}, each with traffic" if self.traffic else text

    @property
    def listeners(self) -> int:
        """The listeners of all of them."""
        return self.namespaces * (self.tcp + self.unix)


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
        counts = SocketCounts(listeners=self.namespaces.tcp, unix_listeners=self.namespaces.unix)
        reading, writing = os.pipe()
        with os.fdopen(reading) as answers:
            try:
                for _ in range(self.namespaces.namespaces):
                    self.pids.append(namespace_process.fork(counts, writing, traffic=self.namespaces.traffic))
            finally:
                os.close(writing)
            # Each process closes its end after its line, so the file ends even where one dies without a line.
            namespace_process.raise_error(answers.read().splitlines(), len(self.pids))

    def _end(self) -> None:
        for pid in self.pids:
            namespace_process.kill(pid)
        while self.pids:
            namespace_process.wait(self.pids.pop())
