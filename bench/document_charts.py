"""The charts of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench import chart
from bench.cases import episodes, listeners, memory, syn_recv
from bench.comparison import BASELINE
from bench.results import Measurement, Results
from bench.units import Unit, format_seconds

_HOUR_MINUTES: Final = 60
_LABELLED_POINTS: Final = 4


@dataclass(frozen=True, slots=True)
class Chart:
    """The file `performance-NAME.svg`, its alternative text, and its content."""

    name: str
    caption: str
    svg: str

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"performance-{self.name}.svg"


def charts(results: Results) -> Iterator[Chart]:
    """Draw the charts whose tables have measurements."""
    tables = results.tables()
    for name, table, axis in (
        ("listeners", listeners.IDLE_TABLE, "listeners"),
        ("connections", syn_recv.CONNECTIONS_TABLE, "established connections, 100 listeners"),
        ("half-open", syn_recv.SYN_RECV_TABLE, "half-open connections, 100 listeners"),
    ):
        if table in tables:
            yield Chart(name, table, _by_size(f"{table}: processor time", tables[table], axis))
    if listeners.IDLE_TABLE in tables:
        caption = "Processor time as a multiple of the C baseline"
        yield Chart("peers", caption, _multiples(tables[listeners.IDLE_TABLE]))
    if episodes.TABLE in tables:
        yield Chart("episodes", episodes.TABLE, _shares(tables[episodes.TABLE]))
    if memory.SERIES in results.series:
        yield Chart("memory", memory.TABLE, _memory(results.series[memory.SERIES]))


def _by_size(title: str, measurements: Sequence[Measurement], axis: str) -> str:
    sizes = sorted({measurement.size for measurement in measurements})
    names = list(dict.fromkeys(measurement.program for measurement in measurements))
    medians = {(each.program, each.size): each.summary.median for each in measurements}
    lines = [chart.Line(name, [medians.get((name, size)) for size in sizes]) for name in names]
    labels = chart.Axis(axis, [f"{size:,}" for size in sizes])
    return chart.lines(title, labels, lines, format_seconds, logarithmic=True)


def _multiples(measurements: Sequence[Measurement]) -> str:
    largest = max(measurement.size for measurement in measurements)
    medians = {each.program: each.summary.median for each in measurements if each.size == largest}
    multiples = sorted(
        ((name, value / medians[BASELINE]) for name, value in medians.items()), key=lambda bar: bar[1]
    )
    title = f"One sample of {largest:,} idle listeners, as a multiple of the C baseline (logarithmic)"
    return chart.bars(title, multiples, Unit.RATIO.format, logarithmic=True)


def _shares(measurements: Sequence[Measurement]) -> str:
    shares = [
        (measurement.program, measurement.summary.median)
        for measurement in measurements
        if measurement.program.startswith(("noticed", "gauge"))
    ]
    title = "Share of 60 ms full-queue episodes that are noticed"
    return chart.bars(title, shares, Unit.SHARE.format, logarithmic=False)


def _memory(points: Sequence[tuple[float, float]]) -> str:
    last = points[-1][0]
    labels = [
        f"{number / last * _HOUR_MINUTES:.0f} min" if index % _LABELLED_POINTS == 0 else ""
        for index, (number, _) in enumerate(points)
    ]
    line = chart.Line("resident memory", [resident for _, resident in points])
    axis = chart.Axis("time sampled", labels)
    return chart.lines("Resident memory", axis, [line], Unit.BYTES.format, logarithmic=False)
