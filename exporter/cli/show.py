"""`show`: the listeners of this host, sampled once, as a table, as JSON or as metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from exporter.cli import output, table
from exporter.cli.build import build_info
from exporter.cli.flags import OutputFormat, ShowFlags
from exporter.cli.host_sampling import sampled_host
from exporter.cli.parser import PROGRAM
from exporter.config import Config
from exporter.kernel.netns.namespace import HOST
from exporter.metrics.context import Reload
from exporter.metrics.listener_metrics import GAUGES_AND_COUNTERS, KEY_LABELS
from exporter.metrics.page import Page
from exporter.sampling.clock import SYSTEM_CLOCK, Clock
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.sampler import Sampler

Row = dict[str, str | float | None]

_PREFIX: Final = "listen_queue_"
# What one sample can tell.
_METRICS: Final = {
    metric.sample_name.removeprefix(_PREFIX): metric
    for metric in GAUGES_AND_COUNTERS
    if not metric.needs_history
}
_NAME_COLUMNS: Final = 3
_COLUMNS: Final = (
    "LISTENER",
    "NETNS",
    "PROCESS",
    "WAITING",
    "BACKLOG",
    "FULL",
    "OLDEST",
    "HALF-OPEN",
    "DROPS",
)


def show(flags: ShowFlags, clock: Clock = SYSTEM_CLOCK) -> int:
    """Ask every source once and print what was found, fullest first. Raises RunError where it cannot."""
    sampler = sampled_host(flags.config_file, clock, _without_hold)
    match flags.output_format:
        case OutputFormat.TABLE:
            output.write(_table(_rows(sampler, clock)) + "\n")
        case OutputFormat.JSON:
            output.write(json.dumps(_rows(sampler, clock), indent=2) + "\n")
        case OutputFormat.PROMETHEUS:
            reload = Reload(successful=True, timestamp=clock.wall())
            page = Page(sampler, lambda: reload, build_info(), clock, None)
            # As bytes: the format is UTF-8, whatever the locale.
            output.write(page.write(openmetrics=False))
    # All sources of a namespace that cannot be entered fail alike.
    failed = {
        (runner.netns, type(runner.error), runner.error.reason): runner.error
        for runner in sampler.runners
        if runner.error is not None
    }
    for (netns, _, _), error in failed.items():
        output.write_error(f"{PROGRAM}: {'' if netns == HOST else f'{netns}: '}{error}")
    return 0


def _without_hold(config: Config) -> Config:
    """Let thresholds count as soon as they are exceeded, since there is one sample only."""
    return replace(
        config,
        defaults=replace(config.defaults, thresholds=replace(config.defaults.thresholds, hold_seconds=0.0)),
        rules=tuple(
            replace(rule, thresholds=replace(rule.thresholds, hold_seconds=0.0)) for rule in config.rules
        ),
    )


def _rows(sampler: Sampler, clock: Clock) -> list[Row]:
    now = clock.monotonic()
    with sampler.lock:
        healthy = {namespace.name: namespace.healthy_sources(now) for namespace in sampler.namespaces}
        return [_row(state, healthy) for state in sorted(sampler.published(now), key=_order)]


def _order(state: ListenerState) -> tuple[float, bool, str, str, str, int]:
    """Put the fullest first, and of equals the exporter's own namespace, then by the names of the others."""
    key = state.group.key
    port = int(key.port) if key.port.isdecimal() else 0
    utilization = state.group.utilization or 0.0
    return -utilization, key.netns != HOST, key.netns, key.protocol, key.address, port


def _row(state: ListenerState, healthy: Mapping[str, Mapping[str, frozenset[str]]]) -> Row:
    """Collect what is known of one listener; a figure whose source failed is None, never 0."""
    names: Row = dict(zip(KEY_LABELS, state.key(), strict=True))
    names["process"] = state.owner.process if state.owner else ""
    names["stale_path"] = state.stale_path
    sources = healthy[state.group.key.netns][state.group.key.protocol]
    return names | {
        name: metric.read(state) if metric.source in sources else None for name, metric in _METRICS.items()
    }


def _table(rows: Sequence[Row]) -> str:
    return table.table([_COLUMNS, *(_cells(row) for row in rows)], _NAME_COLUMNS)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        _listener(row),
        table.name(str(row["netns"])),
        table.name(str(row["process"])) if row["process"] else table.NOTHING,
        _figure(row["accept_length"]),
        _figure(row["accept_limit"]),
        _figure(row["accept_utilization_ratio"], "{:.0%}"),
        # Of an empty queue it is 0, which reads as if somebody waited.
        _figure(row["accept_oldest_wait_seconds"] if row["accept_length"] else None, "{:.1f}s"),
        _figure(row["syn_recv"]),
        _figure(row["drops_total"]),
    )


def _listener(row: Row) -> str:
    address, port = table.name(str(row["address"])), row["port"]
    if not port:
        # New clients reach another socket, or none.
        return f"{address} (stale path)" if row["stale_path"] else address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _figure(value: str | float | None, form: str = "{}") -> str:
    return table.NOTHING if value is None else form.format(value)
