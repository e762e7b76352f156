"""Network namespaces: their number, the fullest queue of each, and their sysctls."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import table

from deploy.grafana import colours, queries
from deploy.grafana.panels import Line, fixed, graph
from deploy.grafana.rows.row import Row
from deploy.grafana.tables import Label, Value, as_share, listing

_FULLEST: Final = (
    f"max by ({queries.NETNS_LABELS}) ({queries.of_namespaces('listen_queue_accept_peak_utilization_ratio')})"
)
# Titles by the names of the metrics.
_SYSCTLS: Final = {
    "net_core_somaxconn": "somaxconn",
    "net_ipv4_tcp_max_syn_backlog": "tcp_max_syn_backlog",
    "net_ipv4_tcp_syncookies": "tcp_syncookies",
    "net_ipv4_tcp_abort_on_overflow": "tcp_abort_on_overflow",
}


def row() -> Row:
    """The fifth row."""
    return Row(
        "Network namespaces",
        [
            graph(
                "Namespaces",
                "Network namespaces that are sampled on all chosen hosts, and those that are not because "
                "there are more than the configuration allows.",
                "none",
                8,
                [
                    Line("sampled", _all("namespaces"), "sampled", fixed(colours.NEUTRAL)),
                    Line("omitted", _all("namespaces_omitted"), "left out", fixed(colours.WARNING)),
                ],
            ).decimals(0),
            graph(
                "Fullest queue of each namespace",
                "The highest peak of any accept queue in the namespace: 1 is full. The ten namespaces with "
                "the fullest.",
                "percentunit",
                16,
                [Line("fullest", f"topk(10, {_FULLEST})", queries.NETNS_LEGEND)],
            ).axis_soft_max(1),
            _sysctls(),
        ],
    )


def _sysctls() -> table.Panel:
    fullest = Value(_FULLEST, "Fullest queue", as_share(colours.by_utilization(colours.TEXT)))
    return listing(
        "Settings of the kernel",
        "somaxconn bounds every backlog. tcp_syncookies: 0 never, 1 when a SYN queue is full, 2 always. "
        "tcp_abort_on_overflow: 1 resets the client. Unmatched are half-open connections of no listener.",
        [
            Label("cluster", "Cluster"),
            Label("job", "Job"),
            Label("instance", "Host"),
            Label("netns", "Netns"),
            fullest,
            *(
                Value(_each(f"listen_queue_sysctl_{name}"), title, {"unit": "none"})
                for name, title in _SYSCTLS.items()
            ),
            Value(_each("listen_queue_syn_recv_unmatched"), "Unmatched"),
        ],
        sort_by=fullest,
    )


def _each(name: str) -> str:
    return f"max by ({queries.NETNS_LABELS}) ({queries.of_namespaces(name)})"


def _all(name: str) -> str:
    return f"sum({queries.of_exporters(f'listen_queue_exporter_{name}')})"
