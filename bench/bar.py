"""What has to be reached: each bar is one row of the document's first table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.cost import Spread

_MEGABYTE: Final = 1e6
_LATE_SECONDS: Final = 0.01


class Sense(enum.Enum):
    """On which side of the limit a figure has to be."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


class Unit(enum.Enum):
    """How a figure is written."""

    RATIO = enum.auto()
    SHARE = enum.auto()
    SECONDS = enum.auto()
    BYTES = enum.auto()

    def write(self, value: float) -> str:
        """Write a value with three digits and its unit."""
        match self:
            case Unit.RATIO:
                return f"{value:.3g}"
            case Unit.SHARE:
                return f"{value * 100:.3g} %"
            case Unit.BYTES:
                return f"{value / _MEGABYTE:.3g} MB"
            case Unit.SECONDS:
                return seconds_text(value)


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit for one figure. `name` is the figure's name in the findings."""

    name: str
    load: str
    measure: str
    sense: Sense
    limit: float
    unit: Unit = Unit.RATIO

    def holds(self, value: float, limit: float | None = None) -> bool:
        """Tell whether a figure is on the right side."""
        limit = self.limit if limit is None else limit
        return value <= limit if self.sense is Sense.AT_MOST else value >= limit

    def text(self, limit: float | None = None) -> str:
        """Write the limit."""
        return f"{self.sense.value} {self.unit.write(self.limit if limit is None else limit)}"


_MOST, _LEAST = Sense.AT_MOST, Sense.AT_LEAST
_IDLE = "10,000 idle listeners, TCP segments coming in"
_SILENT = "10,000 idle listeners, nothing coming in"
_EPISODES = "random 60 ms full-queue episodes"

BARS: Final = (
    Bar("idle", _IDLE, "one sample / floor in C, processor time", _MOST, 1.3),
    Bar(
        "changing", "10,000 listeners, 1,000 changing", "one sample / floor in C, processor time", _MOST, 2.5
    ),
    Bar("ss", _IDLE, "`ss -Htlnm` / one sample, processor time", _LEAST, 4.0),
    Bar("raindrops", _IDLE, "raindrops / one sample, processor time", _LEAST, 4.0),
    Bar("procfs", _IDLE, "the /proc/net loop / one sample, processor time", _LEAST, 4.0),
    Bar("ss_silent", _SILENT, "`ss -Htlnm` / one sample, processor time", _LEAST, 4.0),
    Bar("raindrops_silent", _SILENT, "raindrops / one sample, processor time", _LEAST, 4.0),
    Bar("procfs_silent", _SILENT, "the /proc/net loop / one sample, processor time", _LEAST, 4.0),
    Bar(
        "daemon_cpu",
        "100 listeners, 20,000 connections, defaults",
        "processor time of the whole process over 60 s, share of one core",
        _MOST,
        0.015,
        Unit.SHARE,
    ),
    Bar(
        "syn_recv",
        "100 listeners, 200,000 connections, all IPv4",
        "one SYN_RECV sample / one walk in C, processor time",
        _MOST,
        1 / 20,
    ),
    Bar("walk", "100,000 half-open", "walk and count / walk in C, processor time", _MOST, 1.8),
    Bar("walk_memory", "100,000 half-open", "growth of peak memory in the walk", _MOST, 10e6, Unit.BYTES),
    Bar(
        "page",
        "10,000 listeners, histogram off",
        "page / `generate_latest` of the same families, processor time",
        _MOST,
        1 / 15,
    ),
    Bar(
        "lateness",
        "100 listeners at 50 ms, 4 scrapers in a loop",
        "99th percentile of the lateness of a sample (or twice that without scrapers)",
        _MOST,
        _LATE_SECONDS,
        Unit.SECONDS,
    ),
    Bar(
        "namespaces",
        "300 namespaces with 20 listeners each",
        "one pass / floor in C, processor time of both processes",
        _MOST,
        1.5,
    ),
    Bar("episodes_peak", _EPISODES, "share noticed by the peak", _LEAST, 0.99, Unit.SHARE),
    Bar("episodes_full", _EPISODES, "share noticed by the seconds full", _LEAST, 0.99, Unit.SHARE),
    Bar("episodes_gauge", _EPISODES, "share that a gauge read every 15 s sees", _MOST, 0.01, Unit.SHARE),
    Bar(
        "memory", "100 listeners", "resident memory after an hour's worth of samples", _MOST, 48e6, Unit.BYTES
    ),
    Bar("memory_growth", "100 listeners", "its growth since a tenth of that hour", _MOST, 1e6, Unit.BYTES),
    Bar("help", "no load", "`--help`, wall time more than `python -c pass`", _MOST, 0.25, Unit.SECONDS),
)


def limit_of(bar: Bar, reached: Mapping[str, Spread]) -> float:
    """Return the limit in force: the one of lateness follows what is reached without scrapers."""
    quiet = reached.get(f"{bar.name}_quiet")
    return bar.limit if quiet is None else max(bar.limit, 2 * quiet.middle)


def seconds_text(value: float) -> str:
    """Write a time in the unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e6:.3g} us"
