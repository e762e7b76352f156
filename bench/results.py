"""What one run of the benchmark measured, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True)
class Summary:
    """The median, the minimum and the maximum of a value that was measured several times."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarize one value a round."""
        return cls(median(values), min(values), max(values))

    @classmethod
    def of_ratios(cls, dividends: Sequence[float], divisors: Sequence[float]) -> Self:
        """Divide round by round: what disturbs the machine in a round disturbs both values."""
        return cls.of([one / other for one, other in zip(dividends, divisors, strict=True)])

    @classmethod
    def of_rank_differences(cls, values: Sequence[float], others: Sequence[float]) -> Self:
        """Subtract the least of the others from the least value, and so on to the greatest.

        So two series of as many independent measurements are compared over their whole range.
        """
        pairs = zip(sorted(values), sorted(others), strict=True)
        return cls.of([value - other for value, other in pairs])


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of a table: what a program used on a workload.

    `size` is the workload's place on the axis of a chart, `unit` that of the summary: `s`, `B`, `share` or
    `count`.
    """

    table: str
    workload: str
    size: int
    program: str
    unit: str
    summary: Summary

    def with_workload(self, workload: str) -> Measurement:
        """The same with another description of the workload."""
        return replace(self, workload=workload)


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A program or a case that could not be measured here, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one case measured. `limited` has a value for each limit by its name, `series` points of a line."""

    measurements: tuple[Measurement, ...] = ()
    limited: tuple[tuple[str, Summary], ...] = ()
    not_measured: tuple[NotMeasured, ...] = ()
    series: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """What all cases measured, and on which machine."""

    environment: Mapping[str, str]
    measurements: tuple[Measurement, ...]
    limited: Mapping[str, Summary]
    not_measured: tuple[NotMeasured, ...]
    series: Mapping[str, tuple[tuple[float, float], ...]]

    @classmethod
    def of(cls, environment: Mapping[str, str], results: Iterable[CaseResult]) -> Self:
        """Join the results of the cases; what several could not measure is named once."""
        cases = list(results)
        return cls(
            environment,
            tuple(measurement for case in cases for measurement in case.measurements),
            dict(pair for case in cases for pair in case.limited),
            tuple(dict.fromkeys(missing for case in cases for missing in case.not_measured)),
            dict(pair for case in cases for pair in case.series),
        )

    def tables(self) -> dict[str, list[Measurement]]:
        """The measurements by table, in the order in which they were made."""
        found: dict[str, list[Measurement]] = {}
        for measurement in self.measurements:
            found.setdefault(measurement.table, []).append(measurement)
        return found

    def write(self, path: Path) -> None:
        """Write JSON; times are in seconds, memory in bytes, shares and ratios as parts of 1."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        known = json.loads(path.read_text())
        return cls(
            known["environment"],
            tuple(
                Measurement(**{**measurement, "summary": Summary(**measurement["summary"])})
                for measurement in known["measurements"]
            ),
            {name: Summary(**summary) for name, summary in known["limited"].items()},
            tuple(NotMeasured(**missing) for missing in known["not_measured"]),
            {name: tuple((x, y) for x, y in points) for name, points in known["series"].items()},
        )
