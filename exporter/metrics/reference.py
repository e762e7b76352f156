"""The reference of all metrics, made from the catalogue: `python -m exporter.metrics.reference`."""

from __future__ import annotations

import sys
from typing import Final

from exporter.config.model import OWNER_LABELS
from exporter.listeners.registry import REMEMBER_SECONDS
from exporter.metrics.catalogue import (
    HISTOGRAM,
    INFO,
    LISTENER_METRICS,
    THRESHOLD_METRICS,
    Metric,
)
from exporter.metrics.exporter_families import EXPORTER_METRICS
from exporter.metrics.namespace_families import NAMESPACE_METRICS
from exporter.sampling.history.accept import BUCKETS
from exporter.sampling.history.clock import STALE_INTERVALS, STALE_SECONDS

_LABELS: Final = {
    "netns": "`host` for the network namespace that the exporter runs in, else the name of the namespace",
    "protocol": "`tcp` or `unix`",
    "address": "the address as bound, with `%device` where bound to a device; for unix the path, or `@name` "
    "for an abstract name; a byte that is no printable UTF-8, or a backslash, is `\\xNN`",
    "port": "decimal; empty for unix",
    "process": "command name of the owner; empty where it may not be seen",
}
_LABEL_ROWS: Final = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in _LABELS.items())
_OWNER_LABELS: Final = ", ".join(f"`{name}`" for name in OWNER_LABELS)

_MINUTES: Final = REMEMBER_SECONDS / 60

_HEAD: Final = f"""\
# Metrics

<!-- Written by `python -m exporter.metrics.reference`; change the catalogue in exporter/metrics instead. -->

## The labels of a listener

**L** in the tables stands for the labels that name a listener:

| label | value |
|---|---|
{_LABEL_ROWS}

`process` is there by default; `labels` in the configuration chooses among
{_OWNER_LABELS}.
Sockets with equal `netns`, `protocol`, `address` and `port` are one listener (SO_REUSEPORT): its figures
are sums, and ratios are those of the fullest socket.

## When series leave the page

- A source that fails, or has no sample for {STALE_SECONDS:.0f} s (or {STALE_INTERVALS} intervals, if longer),
  has `listen_queue_exporter_source_success` 0, and its series leave the page until it works again.
  A missing series is never zero.
- A listener that is gone has no series. If it comes back in the same place within {_MINUTES:.0f} minutes
  its counters go on, unless another program took the place.
- What the kernel does not tell has no series: where only `/proc/net` can be read, limits and ratios.
- Over `max_listeners` the fullest listeners stay, and of equals the oldest;
  `listen_queue_exporter_listeners_omitted` counts the others.
"""

_TAIL: Final = """\
The exporter's own process has the `process_*` metrics of prometheus_client.

## A page of one look

`listen-queue-exporter show --prometheus` prints a page for the textfile collector of node_exporter. Nobody
waits for `hold` there: `listen_queue_threshold_exceeded` counts at once. What takes time is not on it,
because 0 would be wrong:

{left_out}
- `process_*`
"""


def reference() -> str:
    """Write the reference in Markdown."""
    exporter = [metric for metric, _ in EXPORTER_METRICS]
    settings = [metric for metric in exporter if metric.name.startswith("listen_queue_threshold_")]
    sections = [
        _HEAD,
        _section(
            "A listener's queues",
            [
                *(_row(metric, "L (tcp)" if metric.tcp_only else "L") for metric in LISTENER_METRICS),
                _row(HISTOGRAM, "L"),
                _row(INFO, "L"),
            ],
        ),
        f"The buckets of the histogram end at {', '.join(f'{bound:g}' for bound in BUCKETS)} and +Inf.\n",
        _section("A listener's thresholds", [_row(metric, "L") for metric in THRESHOLD_METRICS]),
        "`queue` is `accept`, or `syn_recv` for tcp; `severity` is `warning` or `critical`.\n",
        _section("The thresholds of the configuration", [_row(metric) for metric in settings]),
        _section("A network namespace", [_row(metric) for metric, _, _ in NAMESPACE_METRICS]),
        _section("The exporter", [_row(metric) for metric in exporter if metric not in settings]),
        _TAIL.format(left_out=_left_out()),
    ]
    return "\n".join(sections)


def _left_out() -> str:
    every = (*LISTENER_METRICS, HISTOGRAM, *THRESHOLD_METRICS, *(metric for metric, _ in EXPORTER_METRICS))
    return "\n".join(f"- `{metric.sample_name}`" for metric in every if metric.needs_history)


def _row(metric: Metric, *listener: str) -> str:
    labels = ", ".join([*listener, *(f"`{label}`" for label in metric.labels)])
    return f"| `{metric.sample_name}` | {metric.kind} | {labels} | {metric.help} |"


def _section(title: str, rows: list[str]) -> str:
    return "\n".join(
        [f"## {title}", "", "| metric | type | labels | meaning |", "|---|---|---|---|", *rows, ""]
    )


if __name__ == "__main__":
    sys.stdout.write(reference())
