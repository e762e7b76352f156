"""The programs that are measured, each of which reports the time of one repetition."""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TextIO, cast

from bench.executables import ProgramUnavailableError, find
from testbed import ruby, syscalls

_ROOT: Final = Path(__file__).resolve().parents[1]
_NODE_EXPORTER_PORT: Final = 9100
# Of the clock id of a process, see clock_getcpuclockid(3) and CPUCLOCK_SCHED in the kernel.
_CPUCLOCK_SCHED: Final = 2


@dataclass(frozen=True, slots=True)
class Time:
    """What one repetition took: processor time (user and system) and wall time, in seconds."""

    cpu_seconds: float
    wall_seconds: float


class Program(Protocol):
    """A program that is measured."""

    @property
    def name(self) -> str:
        """Its name in tables."""
        ...

    def measure(self) -> Time:
        """Run one repetition. Raises ProgramUnavailableError where it fails."""
        ...


@dataclass(frozen=True, slots=True)
class Baseline:
    """The program in C that sends one request, receives the dump and discards it.

    One measurement is the median of `repetitions` dumps, without the first, in which a new process touches
    its pages.
    """

    program: Path
    request: bytes
    name: str
    repetitions: int = 3

    def measure(self) -> Time:
        """Run it once."""
        return _median([str(self.program), self.request.hex(), str(self.repetitions + 1)])


@dataclass(frozen=True, slots=True)
class NamespacesBaseline:
    """The same for many network namespaces, each named by one of its processes, at a pace.

    It keeps a socket open in each. One measurement is the mean of `repetitions` samples of all of them, which
    begin `period_seconds` apart, without the first.
    """

    program: Path
    requests: Sequence[bytes]
    pids: Sequence[int]
    name: str
    period_seconds: float
    repetitions: int

    def measure(self) -> Time:
        """Run it once."""
        numbers = [str(self.repetitions + 1), f"{self.period_seconds * 1000:.0f}"]
        digits = [request.hex() for request in self.requests]
        lines = _lines([str(self.program), *numbers, *digits], " ".join(map(str, self.pids)))
        return Time(*(statistics.mean(column) for column in zip(*lines, strict=True)))


@dataclass(frozen=True, slots=True)
class Command:
    """A program that prints and exits; its start is part of its cost."""

    name: str
    command: Sequence[str]

    def measure(self) -> Time:
        """Run it with its output to /dev/null."""
        started = time.perf_counter()
        process = subprocess.Popen(
            [find(self.command[0]), *self.command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise ProgramUnavailableError(f"{self.name} exited with {process.returncode}")
        return Time(used.ru_utime + used.ru_stime, time.perf_counter() - started)


class Worker:
    """A process that runs one repetition for each line of its input; its start is not part of its cost."""

    def __init__(self, name: str, command: Sequence[str], stack: ExitStack) -> None:
        """Start it and wait until it is ready; `stack` ends it. Raises ProgramUnavailableError."""
        self.name = name
        self._process = subprocess.Popen(
            [find(command[0]), *command[1:]],
            cwd=_ROOT,
            env=ruby.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the thread that starts it stays
        )
        stack.callback(_end, self._process)
        self._read_line()

    @classmethod
    def python(cls, name: str, repetition: str, stack: ExitStack) -> Worker:
        """Start bench.worker for one of its repetitions."""
        return cls(name, [sys.executable, "-m", "bench.worker", repetition], stack)

    def measure(self) -> Time:
        """Run one repetition."""
        return self.run()[0]

    def run(self) -> tuple[Time, int]:
        """Run one repetition and return the number that it returned as well, 0 where there is none."""
        cast("TextIO", self._process.stdin).write("\n")
        cpu, wall, *number = self._read_line().split()
        return Time(float(cpu), float(wall)), int(number[0]) if number else 0

    def _read_line(self) -> str:
        line = cast("TextIO", self._process.stdout).readline()
        if not line:
            raise ProgramUnavailableError(f"{self.name} ended with status {self._process.wait()}")
        return line


class NodeExporter:
    """node_exporter with its tcpstat collector alone. One measurement is the processor time of one scrape."""

    name = "node_exporter tcpstat"

    def __init__(self, stack: ExitStack) -> None:
        """Start it and wait until it answers. Raises ProgramUnavailableError."""
        self._process = subprocess.Popen(
            [
                find("prometheus-node-exporter"),
                "--collector.disable-defaults",
                "--collector.tcpstat",
                f"--web.listen-address=127.0.0.1:{_NODE_EXPORTER_PORT}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the thread that starts it stays
        )
        stack.callback(_end, self._process)
        wait_for(lambda: _get(_NODE_EXPORTER_PORT) is not None, self.name)

    def measure(self) -> Time:
        """Scrape it once."""
        used, started = cpu_seconds(self._process.pid), time.perf_counter()
        _get(_NODE_EXPORTER_PORT)
        return Time(cpu_seconds(self._process.pid) - used, time.perf_counter() - started)


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process so far, by its CPU-time clock."""
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def wait_for(
    condition: Callable[[], bool], what: str, seconds: float = 30.0, every_seconds: float = 0.05
) -> None:
    """Return once the condition holds. Raises ProgramUnavailableError at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ProgramUnavailableError(f"{what} was not ready within {seconds:g} s")
        time.sleep(every_seconds)


def _median(command: Sequence[str]) -> Time:
    """Run a baseline and return the medians of the lines that it prints, without the first."""
    return Time(*(statistics.median(column) for column in zip(*_lines(command), strict=True)))


def _lines(command: Sequence[str], standard_input: str = "") -> list[tuple[float, float]]:
    """Run a baseline and return the processor and wall seconds of each line but the first."""
    done = subprocess.run(command, input=standard_input, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProgramUnavailableError(f"{command[0]} exited with {done.returncode}: {done.stderr.strip()}")
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    return [(float(cpu), float(wall)) for cpu, wall, _ in lines]


def _get(port: int) -> bytes | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()
    except OSError:
        return None
    finally:
        connection.close()


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
