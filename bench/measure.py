"""Measuring several subjects side by side, so that what disturbs one disturbs all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.cost import Figure, Spread
from bench.load import Load
from bench.namespaces import NamespacesLoad
from bench.subject import Subject

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often: each round asks every subject in turn, and each several times.

    `before` is done before each repetition, outside of what is measured.
    """

    rounds: int = 7
    repetitions: int = 3
    before: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Processor seconds of each subject, one figure a round."""

    by_name: Mapping[str, tuple[float, ...]]

    def ratio(self, above: str, below: str) -> Spread:
        """Divide one subject's cost by another's, round by round."""
        return Spread.ratios(self.by_name[above], self.by_name[below])

    def over(self, above: str, seconds: float) -> Spread:
        """Divide a subject's cost by one that was measured apart."""
        return Spread.of([value / seconds for value in self.by_name[above]])

    def has(self, name: str) -> bool:
        """Tell whether a subject was there."""
        return name in self.by_name

    def figures(self, table: str, load: Load | NamespacesLoad, size: int) -> tuple[Figure, ...]:
        """Return a row of a table for each subject; `size` is its place on the axis of a plot."""
        return tuple(
            Figure(table, str(load), size, name, "s", Spread.of(values))
            for name, values in self.by_name.items()
        )


def interleave(subjects: Sequence[Subject], rounds: Rounds, progress: Progress) -> Measured:
    """Measure A, B, C, A, B, C, ...: of the repetitions in a round the median counts.

    A slow subject is asked just once a round. `progress` is told the share that is done.
    """
    found: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for number in range(rounds.rounds):
        for subject in subjects:
            costs: list[float] = []
            while not costs or (len(costs) < rounds.repetitions and costs[-1] < _SLOW_SECONDS):
                if rounds.before is not None:
                    rounds.before()
                costs.append(subject.measure().cpu_seconds)
            found[subject.name].append(median(costs))
        progress((number + 1) / rounds.rounds)
    return Measured({name: tuple(values) for name, values in found.items()})


_SLOW_SECONDS = 0.2
