"""Drops and overflows, which the kernel counts by namespace, and the listeners that were full meanwhile."""

from __future__ import annotations

from deploy.grafana import colours, queries
from deploy.grafana.panels import Line, graph, shades
from deploy.grafana.rows.row import Row


def row() -> Row:
    """The fourth row; it has all processes of the namespaces, since any of them may cause the overflows."""
    overflows, drops = (
        queries.rate(queries.of_namespaces(f"listen_queue_netns_listen_{name}_total"))
        for name in ("overflows", "drops")
    )
    full, dropped = (
        queries.rate(queries.of_namespaces(f"listen_queue_{name}_total", 'protocol="tcp"'))
        for name in ("accept_full_seconds", "drops")
    )
    namespace = "on (cluster, job, instance, netns) group_left ()"
    # Above 0, so that the division gives 0 where no listener was full.
    all_full = f"clamp_min(sum by (cluster, job, instance, netns) ({full}), 0.000001)"
    return Row(
        "Drops and overflows",
        [
            graph(
                "Overflows and drops of the namespace",
                "Overflows: a full accept queue made the kernel drop a packet. Drops: a listener dropped a "
                "packet for any reason, overflows included. The ten namespaces with most of each.",
                "pps",
                12,
                [
                    Line(
                        "overflows",
                        f"topk(10, {overflows})",
                        f"overflows · {queries.NETNS_LEGEND}",
                        shades(colours.CRITICAL),
                    ),
                    Line(
                        "drops",
                        f"topk(10, {drops})",
                        f"drops · {queries.NETNS_LEGEND}",
                        shades(colours.FAINT),
                    ),
                ],
            ),
            graph(
                "Overflows by listener, estimated",
                "The overflows of the namespace, shared out among its listeners by the time that each of "
                "them was full. The kernel does not say whose they are. The ten listeners with most.",
                "pps",
                12,
                [
                    Line(
                        "estimate",
                        _top_ten(f"{full} / {namespace} {all_full} * {namespace} {overflows}"),
                        queries.LEGEND,
                    )
                ],
            ),
            graph(
                "Packets dropped by the listener",
                "Packets, not clients: who is refused tries again and counts again, and a port scan counts "
                "too. The ten listeners with most.",
                "pps",
                12,
                [Line("dropped", _top_ten(dropped), queries.LEGEND)],
            ),
            graph(
                "Share of time full by listener",
                "The part of the time in which the accept queue was full. The ten listeners with most.",
                "percentunit",
                12,
                [Line("full", _top_ten(full), queries.LEGEND)],
            ).max(1),
        ],
    )


def _top_ten(vector: str) -> str:
    return f"topk(10, {queries.with_listener_name(vector)})"
