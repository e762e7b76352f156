"""The programs that are measured side by side in one case, and those that are not available."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from bench import exporter_internals as internals
from bench.executables import Compiled, ProgramUnavailableError
from bench.programs import Baseline, Command, NodeExporter, Program, Worker
from bench.results import NotMeasured

EXPORTER: Final = "this exporter"
EXPORTER_NO_SEGMENTS: Final = "this exporter, no segments received"
BASELINE: Final = "C baseline"
SS: Final = "ss"
RAINDROPS: Final = "raindrops"
PROCFS: Final = "/proc/net loop"
PYROUTE2: Final = "pyroute2 DiagSocket"
SYN_RECV_BASELINE: Final = "SYN_RECV dump in C"
SYN_RECV_DUMP: Final = "SYN_RECV dump, counted"
SYN_RECV: Final = "SYN_RECV sample"
SYN_RECV_MEAN: Final = "SYN_RECV sample, mean of a minute"


class Comparison:
    """The programs of one case; `stack` ends them. Those that do not start are noted in `not_measured`."""

    def __init__(self, compiled: Compiled, stack: ExitStack) -> None:
        self._compiled = compiled
        self._stack = stack
        self.programs: list[Program] = []
        self.not_measured: list[NotMeasured] = []

    def add_baseline(self, request: bytes = internals.TCP_LISTENERS, name: str = BASELINE) -> None:
        """Add the program in C that sends this request."""
        self.programs.append(Baseline(self._compiled.baseline, request, name))

    def add_worker(self, name: str, repetition: str) -> Worker:
        """Add a process of bench.worker."""
        worker = Worker.python(name, repetition, self._stack)
        self.programs.append(worker)
        return worker

    def add_peers(self, *, slow: bool = True) -> None:
        """Add other programs that list TCP listeners; the slow ones only if wanted."""
        self.add_ss("-Htlnm")
        self._try(RAINDROPS, lambda: Worker(RAINDROPS, ["ruby", "bench/raindrops.rb"], self._stack))
        self.add_worker(PROCFS, "procfs")
        if slow:
            self._try(NodeExporter.name, lambda: NodeExporter(self._stack))
            self.add_worker(PYROUTE2, "pyroute2")

    def add_ss(self, flags: str) -> None:
        """Add `ss` with these flags."""
        self._try(SS, lambda: _checked(Command(SS, ("ss", flags))))

    def _try(self, name: str, start: Callable[[], Program]) -> None:
        try:
            self.programs.append(start())
        except ProgramUnavailableError as unavailable:
            self.not_measured.append(NotMeasured(name, str(unavailable)))


def _checked(command: Command) -> Program:
    """Run a command once, so that one that fails is noticed before it is measured."""
    command.measure()
    return command
