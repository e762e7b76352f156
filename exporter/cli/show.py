"""`show`: the listeners of this host, once, as a table, as JSON or as metrics."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from exporter.cli.flags import OutputFormat, ShowFlags
from exporter.cli.parser import PROGRAM
from exporter.cli.privileges import drop_all, start_broker
from exporter.config import load
from exporter.config.model import Config
from exporter.errors import RunError
from exporter.kernel.records import ListenerProtocol
from exporter.metrics.catalogue import KEY_LABELS, LISTENER_METRICS
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace import PublishableSources
from exporter.sampling.namespace_scheduler import HOST
from exporter.sampling.sampler import Sampler

Row = dict[str, str | float | None]

# What one sample can tell; peaks and seconds take time.
_FIGURES = (
    "accept_length",
    "accept_limit",
    "accept_utilization_ratio",
    "accept_oldest_wait_seconds",
    "syn_recv",
    "syn_recv_limit",
    "drops_total",
    "sockets",
)
_PREFIX = "listen_queue_"
_METRICS = {
    name: metric
    for metric in LISTENER_METRICS
    if (name := metric.sample_name.removeprefix(_PREFIX)) in _FIGURES
}
_NAMES = 3
# After this a listener is shown without a name.
_NAMELESS_SECONDS = 2.0
_COLUMNS = ("LISTENER", "NETNS", "PROCESS", "WAITING", "BACKLOG", "FULL", "OLDEST", "HALF-OPEN", "DROPS")


def show(flags: ShowFlags) -> int:
    """Ask every source once and print what was found, fullest first. Raises RunError where it cannot."""
    # Python would print warnings that nobody handles; what failed is said once, below.
    logging.getLogger("exporter").addHandler(logging.NullHandler())
    config = load(flags.config_file) if flags.config_file else Config()
    broker = start_broker()
    drop_all()
    sampler = Sampler(_at_once(config), broker=broker)
    read = Reload(successful=True, timestamp=time.time())
    _ask_everyone(sampler)
    _check(sampler)
    match flags.form:
        case OutputFormat.TABLE:
            print(_table(_rows(sampler)))
        case OutputFormat.JSON:
            print(json.dumps(_rows(sampler), indent=2))
        case OutputFormat.PROMETHEUS:
            # As bytes: the format is UTF-8, whatever the locale.
            sys.stdout.buffer.write(Page(sampler, lambda: read, one_shot=True).write(openmetrics=False))
    failed = [(source.netns, str(source.error)) for source in sampler.sources if source.error is not None]
    # All sources of a namespace that cannot be entered fail alike.
    for netns, error in dict.fromkeys(failed):
        print(f"{PROGRAM}: {'' if netns == HOST else f'{netns}: '}{error}", file=sys.stderr)
    return 0


def _ask_everyone(sampler: Sampler) -> None:
    """Sample until every namespace was asked, and every listener has a name or none was found in time."""
    sampler.sample()
    while not sampler.all_asked():
        sampler.sample()
    asked = time.monotonic()
    while not sampler.all_named() and time.monotonic() - asked < _NAMELESS_SECONDS:
        sampler.look_for_owners()


def _check(sampler: Sampler) -> None:
    """Refuse to print an empty table where the truth is that nothing could be seen.

    Another namespace that shows nothing keeps none of the rest from being printed.
    """
    failed = [
        source
        for source in sampler.sources
        if source.name in ("inet", "unix") and source.netns == HOST and source.error is not None
    ]
    if failed:
        reasons = "; ".join(f"{source.name}: {source.error}" for source in failed)
        message = f"cannot read the listeners: {reasons}"
        raise RunError(message)


def _at_once(config: Config) -> Config:
    """Let thresholds count as soon as they are crossed, since nobody is there to wait."""
    return replace(
        config,
        defaults=replace(config.defaults, hold_seconds=0.0),
        rules=tuple(
            replace(rule, thresholds=replace(rule.thresholds, hold_seconds=0.0)) for rule in config.rules
        ),
    )


def _rows(sampler: Sampler) -> list[Row]:
    now = time.monotonic()
    with sampler.lock:
        known = {namespace.namespace.name: namespace.publishable(now) for namespace in sampler.namespaces}
        return [_row(state, known) for state in sorted(sampler.shown(now), key=_order)]


def _order(state: ListenerState) -> tuple[float, str, str, int]:
    key = state.group.key
    return -(state.group.utilization or 0.0), key.protocol, key.address, int(key.port or 0)


def _row(state: ListenerState, known: Mapping[str, Mapping[ListenerProtocol, PublishableSources]]) -> Row:
    """Collect what is known of one listener; a figure whose source failed is None, never 0."""
    names: Row = dict(zip(KEY_LABELS, state.group.key, strict=True))
    names["process"] = state.owner.process if state.owner else ""
    publishable = known[state.group.key.netns][state.group.key.protocol].kinds
    return names | {
        figure: metric.read(state) if publishable.get(metric.source) else None
        for figure, metric in _METRICS.items()
    }


def _table(rows: Sequence[Row]) -> str:
    lines = [_COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    return "\n".join(_line(cells, widths) for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        _place(row),
        str(row["netns"]),
        str(row["process"] or "-"),
        _figure(row["accept_length"]),
        _figure(row["accept_limit"]),
        _figure(row["accept_utilization_ratio"], "{:.0%}"),
        _figure(row["accept_oldest_wait_seconds"], "{:.1f}s"),
        _figure(row["syn_recv"]),
        _figure(row["drops_total"]),
    )


def _place(row: Row) -> str:
    address, port = str(row["address"]), row["port"]
    if row["protocol"] == ListenerProtocol.UNIX:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _figure(value: str | float | None, form: str = "{}") -> str:
    return "-" if value is None else form.format(value)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, figures to the right."""
    padded = [
        text.ljust(width) if column < _NAMES else text.rjust(width)
        for column, (text, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
