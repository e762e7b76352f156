"""SYN queues and SYN cookies."""

from __future__ import annotations

from deploy.grafana import colours, queries
from deploy.grafana.panels import Line, dashed, fixed, graph, shades
from deploy.grafana.rows.row import Row


def row() -> Row:
    """The third row."""
    syn_recv, limit = (
        queries.of_listeners(f"listen_queue_{name}") for name in ("syn_recv", "syn_recv_limit")
    )
    return Row(
        "SYN queues and cookies",
        [
            graph(
                "Half-open connections of the chosen listener",
                "Connections whose handshake is not finished, and what the kernel admits. Unix sockets have "
                "none.",
                "none",
                12,
                [
                    Line(
                        "now",
                        queries.selected(syn_recv),
                        f"half-open · {queries.LEGEND}",
                        shades(colours.NEUTRAL),
                    ),
                    Line(
                        "limit", queries.selected(limit), f"limit · {queries.LEGEND}", dashed(colours.FAINT)
                    ),
                ],
            ).decimals(0),
            graph(
                "Fullest SYN queues",
                "The ten listeners of all that are chosen whose SYN queues are fullest: 1 is full. With "
                "cookies on, a full SYN queue turns nobody away.",
                "percentunit",
                12,
                [
                    Line(
                        "fullest",
                        f"topk(10, {queries.with_listener_name(f'{syn_recv} / {limit}')})",
                        queries.LEGEND,
                    )
                ],
            ).axis_soft_max(1),
            graph(
                "SYN cookies",
                "Cookies sent to clients, cookies that came back from real ones, and invalid ones. Many "
                "sent and few received is a flood with forged senders.",
                "cps",
                12,
                [
                    Line("sent", _sum("syncookies_sent"), "sent", fixed(colours.NEUTRAL)),
                    Line("received", _sum("syncookies_received"), "received, valid", fixed(colours.GOOD)),
                    Line("failed", _sum("syncookies_failed"), "received, invalid", fixed(colours.WARNING)),
                ],
            ),
            graph(
                "SYNs that found the queue full",
                "Dropped where SYN cookies are off, which turns clients away; answered with a cookie where "
                "they are on.",
                "pps",
                12,
                [
                    Line("dropped", _sum("syn_queue_full_drops"), "dropped", fixed(colours.CRITICAL)),
                    Line(
                        "cookies",
                        _sum("syn_queue_full_cookies"),
                        "answered with a cookie",
                        fixed(colours.NEUTRAL),
                    ),
                ],
            ),
        ],
    )


def _sum(name: str) -> str:
    return f"sum({queries.rate(queries.of_namespaces(f'listen_queue_netns_{name}_total'))})"
