"""Measures several programs in rounds, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.programs import Program
from bench.results import Measurement, Summary
from bench.workloads.sockets import Sockets

# A repetition as long as this is not repeated within a round.
_LONG_SECONDS: Final = 0.2

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Rounds:
    """Each round measures every program, and each program several times.

    `before` is called before each repetition and not measured.
    """

    rounds: int = 7
    repetitions: int = 3
    before: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Processor seconds of each program, one value a round."""

    by_name: Mapping[str, tuple[float, ...]]

    def has(self, name: str) -> bool:
        """Tell whether a program was measured."""
        return name in self.by_name

    def ratio(self, dividend: str, divisor: str) -> Summary:
        """Divide one program's time by another's, round by round."""
        return Summary.of_ratios(self.by_name[dividend], self.by_name[divisor])

    def ratio_to(self, dividend: str, seconds: float) -> Summary:
        """Divide a program's time by one that was measured apart."""
        return Summary.of([value / seconds for value in self.by_name[dividend]])

    def measurements(self, table: str, workload: Sockets, size: int) -> tuple[Measurement, ...]:
        """Return a row of a table for each program; `size` is the place on the axis of a chart."""
        return tuple(
            Measurement(table, str(workload), size, name, "s", Summary.of(values))
            for name, values in self.by_name.items()
        )


def measure(programs: Sequence[Program], rounds: Rounds, progress: Progress) -> CpuTimes:
    """Measure A, B, C, A, B, C, ...: the value of a round is the median of its repetitions.

    `progress` is called with the share that is done.
    """
    times: dict[str, list[float]] = {program.name: [] for program in programs}
    for number in range(rounds.rounds):
        for program in programs:
            repetitions: list[float] = []
            while len(repetitions) < rounds.repetitions:
                if rounds.before is not None:
                    rounds.before()
                repetitions.append(program.measure().cpu_seconds)
                if repetitions[-1] >= _LONG_SECONDS:
                    break
            times[program.name].append(median(repetitions))
        progress((number + 1) / rounds.rounds)
    return CpuTimes({name: tuple(values) for name, values in times.items()})


def repeat(step: Callable[[], object], pause: float, seconds: float) -> None:
    """Do a step again and again for so many seconds, with a pause after each."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        step()
        time.sleep(min(pause, left))
