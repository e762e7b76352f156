"""The reference of all metrics, made from the catalogue: `python -m exporter.metrics.reference`."""

from __future__ import annotations

import sys
from typing import Any, Final

from exporter.config.model import Config, Export
from exporter.listeners.registry import REMEMBER_SECONDS
from exporter.metrics.catalogue import CATALOGUE
from exporter.metrics.listener_histograms import HISTOGRAMS
from exporter.metrics.listener_metrics import LISTENER, LISTENER_THRESHOLD
from exporter.metrics.metric import Metric
from exporter.metrics.series_count import exporter_series_count, namespace_series_count, series_count
from exporter.owners.owner import OWNER_FACTS
from exporter.sampling.history.timeline import STALE_SECONDS

_LABELS: Final = {
    "netns": "`host` for the network namespace that the exporter runs in; else the name that `ip netns` has, "
    "or that of the pod or container where one is known and no other namespace has it, or the inode number",
    "protocol": "`tcp` or `unix`",
    "address": "the address as bound, and `::ffff:10.0.0.1`, an IPv4 address on an IPv6 socket, as "
    "`10.0.0.1`; with `%device` where bound to a device: its present name in the listener's own network "
    "namespace, or `%if` and its index where it is gone; for unix the path, or `@name` for an abstract name; "
    "a byte that is no printable UTF-8, or a backslash, is `\\xNN`",
    "port": "decimal; empty for unix",
    "process": "command name of the owner; empty where it may not be seen",
}
_LABEL_ROWS: Final = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in _LABELS.items())
_OWNER_LABELS: Final = ", ".join(f"`{fact.name}`" for fact in OWNER_FACTS if fact.label)


def _counts(export: Export) -> str:
    tcp, unix = (series_count(export, syn_queue=syn_queue) for syn_queue in (True, False))
    return f"{tcp} for a TCP listener and {unix} for a unix listener"


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
Sockets of one program with equal `netns`, `protocol`, `address` and `port` are one listener (SO_REUSEPORT),
unix sockets only where they have one file too: its figures are sums, and ratios are those of the fullest
socket. Without `process` in `labels` programs are not told apart.

A rule with `fold: true` makes one listener of all that it matches at one `address`, with the same owner: its
`port` is `*`, or its `address` where it is a unix socket. Its figures are those of a listener with so many
sockets, and its counters go on while single sockets come and go.

## Which series a listener has

`export` in the configuration, in `defaults` or in a rule, says which series a listener has:

- `lean`, the default: those that alerts, recording rules and autoscalers need,
  {_counts(Export.LEAN)};
- `full`: also those that are marked *full* below,
  {_counts(Export.FULL)} in all;
- `false`: none.

`check-config FILE` prints how many those are under each rule. Besides these, each network namespace has
{namespace_series_count()} series, and the exporter {exporter_series_count(Config())}, with
{len(Config().defaults.thresholds.levels)} more for each rule.

## When series leave the page

- A source that fails, or has no sample for {STALE_SECONDS:.0f} s,
  has `listen_queue_exporter_source_success` 0, and its series leave the page until it works again.
  A missing series is never zero.
- A listener that is gone has no series. If it comes back at the same address within {_MINUTES:.0f} minutes
  its counters go on, unless it is another program.
- What the kernel does not tell has no series: where only `/proc/net` can be read, limits and ratios, drops,
  oldest waits, and the lengths of unix listeners. An address has no `%device` then.
- Over `max_listeners` each network namespace has an equal part, and in it each user: who has more listeners
  loses their own and nobody else's. The exporter's own namespace comes first, and has up to three quarters
  where others need the rest. Of one user's listeners those beyond a threshold stay, then the fullest, then
  the oldest; `listen_queue_exporter_listeners_omitted` counts the others.
- A value of a label is cut to 256 bytes, and then ends in `…`.
"""

_TAIL: Final = """\
The exporter's own process has the `process_*` metrics of prometheus_client.

## A page of a single sample

`listen-queue-exporter show --prometheus` prints a page for the textfile collector of node_exporter. Such a
page does not wait for `hold`: `listen_queue_threshold_exceeded` counts at once. What needs a history is
not on it, because 0 would be wrong:

{left_out}
- `process_*`
"""

_BUCKETS: Final = "\n".join(
    f"The buckets of `{metric.name}` end at {', '.join(f'{bound:g}' for bound in metric.buckets)} and +Inf.\n"
    for metric in HISTOGRAMS
)
# What follows the table of a section.
_NOTES: Final = {
    LISTENER.title: _BUCKETS,
    LISTENER_THRESHOLD.title: "`queue` is `accept`, or `syn_recv` for tcp; "
    "`severity` is `warning` or `critical`.\n",
}


def reference() -> str:
    """Write the reference in Markdown."""
    sections: dict[str, list[Metric[Any, Any]]] = {}
    for metric in CATALOGUE:
        sections.setdefault(metric.subject.title, []).append(metric)
    left_out = "\n".join(f"- `{metric.sample_name}`" for metric in CATALOGUE if metric.needs_history)
    parts = [_HEAD]
    for title, metrics in sections.items():
        parts.append(_section(title, metrics))
        if title in _NOTES:
            parts.append(_NOTES[title])
    return "\n".join([*parts, _TAIL.format(left_out=left_out)])


def _section(title: str, metrics: list[Metric[Any, Any]]) -> str:
    heading = [f"## {title}", "", "| metric | type | labels | meaning |", "|---|---|---|---|"]
    return "\n".join([*heading, *map(_row, metrics), ""])


def _row(metric: Metric[Any, Any]) -> str:
    # L is no label but stands for those of the listener.
    labels = ", ".join(name if name.startswith("L") else f"`{name}`" for name in metric.subject.labels)
    full = " *full*" if metric.full else ""
    return f"| `{metric.sample_name}`{full} | {metric.type} | {labels} | {metric.help} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
