"""The exporter itself: its cost, its intervals, and the success of its sources."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import statetimeline, table

from deploy.grafana import colours, queries
from deploy.grafana.panels import Line, dashed, graph, timeline
from deploy.grafana.rows.row import Row
from deploy.grafana.tables import Label, Value, listing

_YES_NO: Final = {1: ("yes", colours.TEXT), 0: ("no", colours.CRITICAL)}


def row() -> Row:
    """The last row."""
    of = queries.of_exporters
    prefix = "listen_queue_exporter_"
    missed, samples = (
        queries.rate(of(f"{prefix}samples_missed_total")),
        queries.rate(of(f"{prefix}samples_total")),
    )
    # A source without errors has no series of them.
    failed = queries.rate(of(f"{prefix}sample_errors_total"))
    errors = f"sum by (source) ({failed}) or sum by (source) ({samples}) * 0"
    return Row(
        "The exporter",
        [
            graph(
                "CPU",
                "Time of one core that all processes of the exporter use together. The dashed line is the "
                "budget that they have (`cpu_budget`): it samples less often until it fits.",
                "percentunit",
                8,
                [
                    Line(
                        "cpu",
                        f"sum without (process) ({queries.rate(of(f'{prefix}cpu_seconds_total'))})",
                        queries.EXPORTER_LEGEND,
                    ),
                    Line(
                        "budget",
                        of(f"{prefix}cpu_budget_ratio"),
                        f"budget · {queries.EXPORTER_LEGEND}",
                        dashed(colours.WARNING),
                    ),
                ],
            ).decimals(1),
            graph(
                "Memory",
                "Resident memory of the process that samples and serves.",
                "bytes",
                8,
                [
                    Line(
                        "memory",
                        queries.exporters_only(of("process_resident_memory_bytes")),
                        queries.EXPORTER_LEGEND,
                    )
                ],
            ),
            graph(
                "Interval between samples",
                "The interval that is in force: longer than configured where the CPU budget binds. Of "
                "several hosts and namespaces the longest.",
                "s",
                8,
                [
                    Line(
                        "interval",
                        f"max by (source) ({of(f'{prefix}sample_interval_seconds')})",
                        "{{source}}",
                    )
                ],
            ),
            graph(
                "Time for a sample",
                "How long the newest sample of each source took. Of several hosts and namespaces the "
                "longest.",
                "s",
                8,
                [
                    Line(
                        "duration",
                        f"max by (source) ({of(f'{prefix}source_duration_seconds')})",
                        "{{source}}",
                    )
                ],
            ),
            graph(
                "Samples missed and failed",
                "Missed: the sample before, or the machine, was late. Failed: the kernel or the system "
                "refused.",
                "cps",
                8,
                [
                    Line("missed", f"sum by (source) ({missed})", "missed · {{source}}"),
                    Line("errors", errors, "failed · {{source}}"),
                ],
            ),
            _sources(),
            graph(
                "What was lost or not understood",
                "Broker restarted: the process that enters namespaces was lost. Forged: another process "
                "sent to the exporter's sockets; it was dropped. Disagreements: two ways to count half-open "
                "connections differed.",
                "short",
                8,
                [
                    Line("restarts", _increase("broker_restarts"), "broker restarted"),
                    Line("forged", _increase("forged_datagrams"), "forged datagrams"),
                    Line("disagreements", _increase("refcount_disagreements"), "disagreements"),
                ],
            ),
            _exporters(),
        ],
    )


def _sources() -> statetimeline.Panel:
    success = queries.of_exporters("listen_queue_exporter_source_success")
    return timeline(
        "Sources",
        "Whether each source works on all chosen hosts and in all namespaces. Where one does not, its "
        "series are missing. Owners fail where the exporter may not see other users' processes, which costs "
        "names only.",
        8,
        Line("success", f"min by (source) ({success})", "{{source}}"),
        {1: ("works", colours.GOOD), 0: ("failed somewhere", colours.CRITICAL)},
    )


def _exporters() -> table.Panel:
    build = queries.of_exporters("listen_queue_exporter_build_info")
    mapped = {"mappings": [colours.value_map(_YES_NO)], "custom.cellOptions": {"type": "color-text"}}
    host = Label("instance", "Host")
    by = queries.EXPORTER_LABELS
    return listing(
        "Exporters",
        "Each exporter that was seen within a day. Configuration: whether the file was valid when it was "
        "last read. Left off: more than `max_listeners` or `namespaces.max` allow.",
        [
            Label("cluster", "Cluster"),
            Label("job", "Job"),
            host,
            Value(f"max by ({by}) ({queries.exporters_of_last_day('up')})", "Up", mapped),
            Label("version", "Version"),
            Value(f"max by ({by}, version) ({build})"),
            Value(_each("config_last_reload_successful"), "Configuration valid", mapped),
            Value(_each("listeners"), "Listeners"),
            Value(_each("listeners_omitted"), "Left off"),
            Value(_each("namespaces_omitted"), "Namespaces left off"),
            Value(_each("sockets_without_owner"), "Without owner"),
        ],
        sort_by=host,
    ).span(16)


def _increase(name: str) -> str:
    return f"sum(increase({queries.of_exporters(f'listen_queue_exporter_{name}_total')}[$__rate_interval]))"


def _each(name: str) -> str:
    return f"max by ({queries.EXPORTER_LABELS}) ({queries.of_exporters(f'listen_queue_exporter_{name}')})"
