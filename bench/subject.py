"""Who is measured: a program of ours in C, this exporter, and other programs, all in the same way."""

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
from typing import Protocol, TextIO, cast

from bench.cost import Cost
from bench.program import ProgramMissingError, find, ruby_environment
from testbed import syscalls

_ROOT = Path(__file__).resolve().parents[1]
_NODE_EXPORTER_PORT = 9100
_CPUCLOCK_SCHED = 2


class Subject(Protocol):
    """Somebody who does the work once when asked, and says what it took."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def measure(self) -> Cost:
        """Do it once. Raises ProgramMissingError where it fails."""
        ...


@dataclass(frozen=True, slots=True)
class Floor:
    """Our program in C that receives and discards. One measurement is the median of several dumps."""

    program: Path
    request: bytes
    name: str = "floor in C"
    repetitions: int = 3

    def measure(self) -> Cost:
        """Dump once more than is counted: the first pays for the pages of a new process."""
        return _typical([str(self.program), self.request.hex(), str(self.repetitions + 1)])


@dataclass(frozen=True, slots=True)
class NamespacesFloor:
    """The same for a pass over many network namespaces, each known by one of its processes."""

    program: Path
    requests: Sequence[bytes]
    pids: Sequence[int]
    name: str = "floor in C"
    repetitions: int = 3

    def measure(self) -> Cost:
        """Make one pass more than is counted, as for the other floor."""
        digits = [request.hex() for request in self.requests]
        return _typical(
            [str(self.program), str(self.repetitions + 1), *digits], " ".join(map(str, self.pids))
        )


@dataclass(frozen=True, slots=True)
class Command:
    """A program that looks once and exits; its start belongs to its cost."""

    name: str
    command: Sequence[str]

    def measure(self) -> Cost:
        """Run it with its output thrown away."""
        started = time.perf_counter()
        process = subprocess.Popen(
            [find(self.command[0]), *self.command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise ProgramMissingError(f"{self.name} exited with {process.returncode}")
        return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - started)


class Resident:
    """A process that stays and does the work once for each line it is sent; its start costs nothing."""

    def __init__(self, name: str, command: Sequence[str], within: ExitStack) -> None:
        """Start it and wait until it is ready; it ends with `within`. Raises ProgramMissingError."""
        self.name = name
        self._process = subprocess.Popen(
            [find(command[0]), *command[1:]],
            cwd=_ROOT,
            env=ruby_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the thread that starts it stays
        )
        within.callback(_end, self._process)
        self.greeting = self._read()

    def ask(self, line: str) -> list[str]:
        """Send a line and return the words of the answer."""
        cast("TextIO", self._process.stdin).write(f"{line}\n")
        return self._read().split()

    def measure(self) -> Cost:
        """Have it work once."""
        cpu, wall = self.ask("once")[:2]
        return Cost(float(cpu), float(wall))

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def _read(self) -> str:
        line = cast("TextIO", self._process.stdout).readline()
        if not line:
            raise ProgramMissingError(f"{self.name} ended with status {self._process.wait()}")
        return line


class NodeExporter:
    """node_exporter with only its tcpstat collector. One measurement is the processor time of one scrape."""

    name = "node_exporter tcpstat"

    def __init__(self, within: ExitStack) -> None:
        """Start it and wait until it answers. Raises ProgramMissingError."""
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
        within.callback(_end, self._process)
        wait_for(lambda: _get(_NODE_EXPORTER_PORT) is not None, self.name)

    def measure(self) -> Cost:
        """Scrape it once."""
        used, started = cpu_seconds(self._process.pid), time.perf_counter()
        _get(_NODE_EXPORTER_PORT)
        return Cost(cpu_seconds(self._process.pid) - used, time.perf_counter() - started)


def python(name: str, module: str, *arguments: str, within: ExitStack) -> Resident:
    """Start one of our Python modules as a process that stays."""
    return Resident(name, [sys.executable, "-m", module, *arguments], within)


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process until now, exact to the microsecond.

    The number of a process's clock is made as in clock_getcpuclockid(3).
    """
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Return once the condition holds. Raises ProgramMissingError at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ProgramMissingError(f"{what} was not ready within {seconds:g} s")
        time.sleep(0.05)


def _typical(command: Sequence[str], given: str = "") -> Cost:
    """Run one of the floors and return the median of the lines that it prints, without the first."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProgramMissingError(f"{command[0]} exited with {done.returncode}: {done.stderr.strip()}")
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    cpu, wall = (statistics.median(float(line[column]) for line in lines) for column in (0, 1))
    return Cost(cpu, wall)


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
