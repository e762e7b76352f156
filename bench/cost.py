"""What was measured: costs, and ratios of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True)
class Cost:
    """What one repetition took: processor time (user and system) and wall time, in seconds."""

    cpu_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure measured several times: its median, the lowest and the highest."""

    middle: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up what the rounds of a measurement gave."""
        return cls(median(values), min(values), max(values))

    @classmethod
    def ratios(cls, above: Sequence[float], below: Sequence[float]) -> Self:
        """Divide round by round: what disturbs a round disturbs both of its figures."""
        return cls.of([one / other for one, other in zip(above, below, strict=True)])


@dataclass(frozen=True, slots=True)
class Figure:
    """What one subject cost on one load, as written in the tables. `unit` is the unit of the values."""

    table: str
    load: str
    size: int
    subject: str
    unit: str
    spread: Spread

    def renamed(self, load: str) -> Figure:
        """Return the same figure with another description of its load."""
        return replace(self, load=load)


@dataclass(frozen=True, slots=True)
class Missing:
    """What could not be measured here, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one scene found. `bars` maps names of bars to what was measured for them."""

    figures: tuple[Figure, ...] = ()
    bars: tuple[tuple[str, Spread], ...] = ()
    missing: tuple[Missing, ...] = ()
    series: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = ()
