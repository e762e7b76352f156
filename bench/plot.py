"""The plots of the document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import svg
from bench.bar import Unit, seconds_text
from bench.cost import Figure
from bench.lineup import FLOOR
from bench.results import Results
from bench.scenes import episodes, half_open, listeners, memory

_HOUR_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture: the end of its file's name, what it shows, and its SVG."""

    name: str
    caption: str
    image: str


def plots(results: Results) -> Iterator[Plot]:
    """Draw what was measured; a plot whose figures are missing is left out."""
    tables = results.tables()
    for name, table, under in (
        ("listeners", listeners.IDLE_TABLE, "listeners"),
        ("connections", half_open.CONNECTIONS_TABLE, "established connections, 100 listeners"),
        ("half-open", half_open.HALF_OPEN_TABLE, "half-open connections, 100 listeners"),
    ):
        if table in tables:
            yield Plot(name, table, _by_size(f"{table}: processor time", tables[table], under))
    if listeners.IDLE_TABLE in tables:
        yield Plot(
            "peers", "Processor time as a multiple of the floor", _multiples(tables[listeners.IDLE_TABLE])
        )
    if episodes.TABLE in tables:
        yield Plot("episodes", episodes.TABLE, _shares(tables[episodes.TABLE]))
    if memory.SERIES in results.series:
        yield Plot("memory", memory.TABLE, _memory(results.series[memory.SERIES]))


def _by_size(title: str, figures: Sequence[Figure], under: str) -> str:
    sizes = sorted({figure.size for figure in figures})
    names = list(dict.fromkeys(figure.subject for figure in figures))
    found = {(figure.subject, figure.size): figure.spread.middle for figure in figures}
    drawn = [svg.Line(name, [found.get((name, size)) for size in sizes]) for name in names]
    steps = svg.Steps(title, [f"{size:,}" for size in sizes], under)
    return svg.lines(steps, drawn, seconds_text, log=True)


def _multiples(figures: Sequence[Figure]) -> str:
    most = max(figure.size for figure in figures)
    cost = {figure.subject: figure.spread.middle for figure in figures if figure.size == most}
    drawn = sorted(((name, value / cost[FLOOR]) for name, value in cost.items()), key=lambda bar: bar[1])
    title = f"One sample of {most:,} idle listeners, as a multiple of the floor (logarithmic)"
    return svg.bars(title, drawn, lambda value: f"{value:.3g}", log=True)


def _shares(figures: Sequence[Figure]) -> str:
    drawn = [
        (figure.subject, figure.spread.middle)
        for figure in figures
        if figure.subject.startswith(("noticed", "gauge"))
    ]
    return svg.bars("Share of 60 ms full-queue episodes that are noticed", drawn, Unit.SHARE.write, log=False)


def _memory(points: Sequence[tuple[float, float]]) -> str:
    last = points[-1][0]
    steps = [
        f"{number / last * _HOUR_MINUTES:.0f} min" if index % 4 == 0 else ""
        for index, (number, _) in enumerate(points)
    ]
    line = svg.Line("resident", [resident for _, resident in points])
    return svg.lines(svg.Steps("Resident memory", steps, "time sampled"), [line], Unit.BYTES.write, log=False)
