"""The limits that the exporter has to meet: each is a row of the first table of docs/performance.md."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.results import Summary
from bench.units import Unit

_LATENESS_SECONDS: Final = 0.01


class Direction(enum.Enum):
    """On which side of the limit a value has to be."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of one value. `name` is the name of the value in results.json."""

    name: str
    workload: str
    measure: str
    direction: Direction
    value: float
    unit: Unit = Unit.RATIO

    def met_by(self, measured: float, value: float | None = None) -> bool:
        """Tell whether a measured value meets the limit, or another `value` of it."""
        value = self.value if value is None else value
        return measured <= value if self.direction is Direction.AT_MOST else measured >= value

    def text(self, value: float | None = None) -> str:
        """Write the limit, or another `value` of it."""
        return f"{self.direction.value} {self.unit.format(self.value if value is None else value)}"


_AT_MOST, _AT_LEAST = Direction.AT_MOST, Direction.AT_LEAST
_IDLE = "10,000 idle listeners, TCP segments received"
_NO_SEGMENTS = "10,000 idle listeners, no segments received"
_EPISODES = "random 60 ms full-queue episodes"
_NAMESPACE_EPISODES = "random 60 ms full-queue episodes in 3 of 110 namespaces, defaults"
_PAGE = "page / `generate_latest` of the same families, processor time"
PODS = "110 namespaces with 4 listeners each"
_PODS_WITH_TRAFFIC = f"{PODS}, each with traffic"
_FEW_PODS = "30 namespaces with 4 listeners each"
_SAMPLE = "one sample of all by all processes / C baseline, processor time"
_SHARE = "processor time of all processes, share of one core"
_LONGEST = "longest interval of any namespace"
_USUAL = "usual interval of a namespace"
_CHURN = "20 namespaces with veth made and removed a second, 5 minutes"

LIMITS: Final = (
    Limit("idle", _IDLE, "one sample / C baseline, processor time", _AT_MOST, 1.3),
    Limit(
        "changing",
        "10,000 listeners, 1,000 changing",
        "one sample / C baseline, processor time",
        _AT_MOST,
        2.5,
    ),
    Limit("ss", _IDLE, "`ss -Htlnm` / one sample, processor time", _AT_LEAST, 4.0),
    Limit("raindrops", _IDLE, "raindrops / one sample, processor time", _AT_LEAST, 4.0),
    Limit("procfs", _IDLE, "the /proc/net loop / one sample, processor time", _AT_LEAST, 4.0),
    Limit("ss_no_segments", _NO_SEGMENTS, "`ss -Htlnm` / one sample, processor time", _AT_LEAST, 4.0),
    Limit("raindrops_no_segments", _NO_SEGMENTS, "raindrops / one sample, processor time", _AT_LEAST, 4.0),
    Limit(
        "procfs_no_segments",
        _NO_SEGMENTS,
        "the /proc/net loop / one sample, processor time",
        _AT_LEAST,
        4.0,
    ),
    Limit(
        "daemon_cpu",
        "100 listeners, 20,000 connections, defaults",
        "processor time of all processes over 60 s, share of one core",
        _AT_MOST,
        0.012,
        Unit.SHARE,
    ),
    Limit(
        "waits_cpu",
        "100 listeners, 200,000 connections, some wait, `export: full`",
        f"{_SHARE}, over 60 s",
        _AT_MOST,
        0.022,
        Unit.SHARE,
    ),
    Limit(
        "memory_own",
        "100 listeners, 20,000 connections, defaults",
        "resident memory of all processes, shared pages once",
        _AT_MOST,
        45e6,
        Unit.BYTES,
    ),
    Limit(
        "syn_recv",
        "100 listeners, 200,000 connections, all IPv4",
        "one SYN_RECV sample / one SYN_RECV dump in C, processor time",
        _AT_MOST,
        1 / 20,
    ),
    Limit(
        "syn_recv_dump",
        "100,000 half-open",
        "SYN_RECV dump, counted / SYN_RECV dump in C, processor time",
        _AT_MOST,
        1.8,
    ),
    Limit(
        "syn_recv_dump_memory",
        "100,000 half-open",
        "growth of peak memory in the counted dump",
        _AT_MOST,
        10e6,
        Unit.BYTES,
    ),
    Limit("page_full", "10,000 listeners, `export: full`", _PAGE, _AT_MOST, 1 / 15),
    Limit("page_lean", "10,000 listeners, `export: lean`", _PAGE, _AT_MOST, 1 / 15),
    Limit("series_tcp", "defaults", "series of the TCP listener with most", _AT_MOST, 15, Unit.COUNT),
    Limit("series_unix", "defaults", "series of the unix listener with most", _AT_MOST, 9, Unit.COUNT),
    Limit(
        "lateness",
        "100 listeners at 50 ms, 4 scrapers in a loop",
        "99th percentile of the lateness of a sample (or twice that without scrapers)",
        _AT_MOST,
        _LATENESS_SECONDS,
        Unit.SECONDS,
    ),
    Limit("namespaces", "300 namespaces with 20 listeners each, every 50 ms", _SAMPLE, _AT_MOST, 1.5),
    Limit("pods", f"{PODS}, every 50 ms", _SAMPLE, _AT_MOST, 1.5),
    Limit(
        "pods_unlimited_cpu", f"{PODS}, `cpu_budget: 100%`, every 50 ms", _SHARE, _AT_MOST, 0.08, Unit.SHARE
    ),
    Limit("pods_cpu", f"{PODS}, defaults", f"{_SHARE}, over 60 s", _AT_MOST, 0.022, Unit.SHARE),
    Limit(
        "pods_traffic_cpu",
        f"{_PODS_WITH_TRAFFIC}, defaults",
        f"{_SHARE}, over 60 s",
        _AT_MOST,
        0.022,
        Unit.SHARE,
    ),
    Limit("pods_longest_interval", f"{PODS}, defaults", _LONGEST, _AT_MOST, 1.0, Unit.SECONDS),
    Limit("pods_usual_interval", f"{PODS}, defaults", _USUAL, _AT_MOST, 0.45, Unit.SECONDS),
    Limit("few_pods_usual_interval", f"{_FEW_PODS}, defaults", _USUAL, _AT_MOST, 0.12, Unit.SECONDS),
    Limit(
        "pods_memory",
        f"{PODS}, defaults",
        "resident memory of all processes, shared pages once",
        _AT_MOST,
        60e6,
        Unit.BYTES,
    ),
    Limit(
        "namespaces_episodes_peak",
        _NAMESPACE_EPISODES,
        "share noticed by the peak",
        _AT_LEAST,
        0.99,
        Unit.SHARE,
    ),
    Limit(
        "namespaces_episodes_full",
        _NAMESPACE_EPISODES,
        "share noticed by the seconds full",
        _AT_LEAST,
        0.99,
        Unit.SHARE,
    ),
    Limit(
        "removal",
        "200 containers killed, one veth each",
        "time until the veth is gone, later than without exporter, the most of all",
        _AT_MOST,
        0.06,
        Unit.SECONDS,
    ),
    Limit(
        "churn_left",
        _CHURN,
        "descriptors, namespaces and series that are left",
        _AT_MOST,
        0,
        Unit.COUNT,
    ),
    Limit(
        "churn_memory",
        _CHURN,
        "growth of resident memory after the first minute",
        _AT_MOST,
        1e6,
        Unit.BYTES,
    ),
    Limit("first_page", PODS, "from the start to the first page, wall time", _AT_MOST, 1.5, Unit.SECONDS),
    Limit("first_page_listeners", PODS, "share of the listeners on it", _AT_LEAST, 1.0, Unit.SHARE),
    Limit("episodes_peak", _EPISODES, "share noticed by the peak", _AT_LEAST, 0.99, Unit.SHARE),
    Limit("episodes_full", _EPISODES, "share noticed by the seconds full", _AT_LEAST, 0.99, Unit.SHARE),
    Limit(
        "episodes_gauge", _EPISODES, "share that a gauge read every 15 s shows", _AT_MOST, 0.01, Unit.SHARE
    ),
    Limit(
        "memory",
        "100 listeners",
        "resident memory after an hour's worth of samples",
        _AT_MOST,
        48e6,
        Unit.BYTES,
    ),
    Limit(
        "memory_growth", "100 listeners", "its growth since a tenth of that hour", _AT_MOST, 1e6, Unit.BYTES
    ),
    Limit("help", "no load", "`--help`, wall time more than `python -c pass`", _AT_MOST, 0.25, Unit.SECONDS),
)


def limit_in_force(limit: Limit, measured: Mapping[str, Summary]) -> float:
    """The value of a limit: where there is a value without scrapers, at least twice that value."""
    without_scrapers = measured.get(f"{limit.name}_without_scrapers")
    return limit.value if without_scrapers is None else max(limit.value, 2 * without_scrapers.median)
