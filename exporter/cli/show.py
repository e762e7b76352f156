"""`show`: the listeners of this host, or of a running exporter's, as a table, as JSON or as metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from exporter.api.listeners import Listeners
from exporter.api.query import ListenerQuery
from exporter.cli import clients, output, remote, table
from exporter.cli.build import build_info
from exporter.cli.flags import OutputFormat, ShowFlags
from exporter.cli.host_sampling import sampled_host
from exporter.cli.parser import PROGRAM
from exporter.config import Config
from exporter.errors import RunError, UsageError
from exporter.kernel.family import FAMILIES
from exporter.kernel.netns.namespace import HOST
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.clock import SYSTEM_CLOCK, Clock

Document = dict[str, Any]
Row = dict[str, Any]

_PATH: Final = "/api/v1/listeners"
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
    """Print the listeners that are asked for, fullest first.

    Raises RunError where they cannot be read, and UsageError for flags that exclude each other.
    """
    if flags.output_format is OutputFormat.PROMETHEUS:
        if flags.url is not None or flags.patterns or flags.clients is not None:
            raise UsageError("--prometheus prints all metrics of this host; leave the other flags out")
        document = _print_metrics(flags, clock)
    else:
        document = _document(flags, clock)
        listeners = document["listeners"]
        as_json = flags.output_format is OutputFormat.JSON
        text = json.dumps(listeners, indent=2) if as_json else clients.below(_table(listeners), listeners)
        output.write(text + "\n")
    # All sources of a namespace that cannot be entered fail alike.
    for netns, error in dict.fromkeys((each["netns"], each["error"]) for each in document["errors"]):
        where = "" if netns == HOST else f"{table.name(netns)}: "
        output.write_error(f"{PROGRAM}: {where}{error}")
    return 0


def _document(flags: ShowFlags, clock: Clock) -> Document:
    if flags.url is None:
        sampler = sampled_host(flags.config_file, clock, _without_hold)
        return clients.listed(Listeners(sampler, clock), ListenerQuery(flags.patterns, clients=flags.clients))
    if flags.config_file is not None:
        raise UsageError("--config.file is for this host; the exporter at --url has its own")
    parameters = urlencode([*flags.patterns, *clients.parameters(flags.clients)])
    document = remote.document(flags.url, f"{_PATH}?{parameters}" if parameters else _PATH)
    _check(document)
    return document


def _check(document: Document) -> None:
    """Refuse to print an empty table where the truth is that nothing could be seen."""
    names = {family.source for family in FAMILIES}
    failed = [each for each in document["errors"] if each["netns"] == HOST and each["source"] in names]
    if failed:
        reasons = "; ".join(f"{each['source']}: {each['error']}" for each in failed)
        raise RunError(f"the exporter cannot read the listeners: {reasons}")


def _print_metrics(flags: ShowFlags, clock: Clock) -> Document:
    """Print the page, and return the document of the same sample."""
    sampler = sampled_host(flags.config_file, clock, _without_hold)
    reload = Reload(successful=True, timestamp=clock.wall())
    page = Page(sampler, lambda: reload, build_info(), clock, None)
    # As bytes: the format is UTF-8, whatever the locale.
    output.write(page.write(openmetrics=False))
    return Listeners(sampler, clock).document(ListenerQuery())


def _without_hold(config: Config) -> Config:
    """Let thresholds count as soon as they are exceeded, since there is one sample only."""
    return replace(
        config,
        defaults=replace(config.defaults, thresholds=replace(config.defaults.thresholds, hold_seconds=0.0)),
        rules=tuple(
            replace(rule, thresholds=replace(rule.thresholds, hold_seconds=0.0)) for rule in config.rules
        ),
    )


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
    where = table.endpoint(str(row["address"]), str(row["port"]))
    # New clients reach another socket, or none.
    return f"{where} (stale path)" if row["stale_path"] else where


def _figure(value: str | float | None, form: str = "{}") -> str:
    return table.NOTHING if value is None else form.format(value)
