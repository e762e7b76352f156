"""SYN queues and SYN cookies: whether it is a flood."""

from __future__ import annotations

from deploy.grafana import colours, queries
from deploy.grafana.panels import Line, fixed, graph, level, shades
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
                "Connections whose handshake is not finished, the most of them in any sample of the last "
                "minute, and what the kernel admits. Unix sockets have none.",
                "none",
                12,
                [
                    Line(
                        "now", queries.chosen(syn_recv), f"half-open · {queries.LEGEND}", shades(colours.CALM)
                    ),
                    Line(
                        "peak",
                        queries.chosen(queries.of_listeners("listen_queue_syn_recv_peak")),
                        f"peak · {queries.LEGEND}",
                        {**shades("purple"), "custom.fillOpacity": 0},
                    ),
                    Line("limit", queries.chosen(limit), f"limit · {queries.LEGEND}", level(colours.FAINT)),
                ],
            ).decimals(0),
            graph(
                "Fullest SYN queues",
                "The ten listeners of all that are chosen whose SYN queues are fullest: 1 is full. With "
                "cookies on, a full SYN queue turns nobody away.",
                "percentunit",
                12,
                [Line("fullest", f"topk(10, {queries.named(f'{syn_recv} / {limit}')})", queries.LEGEND)],
            ).axis_soft_max(1),
            graph(
                "SYN cookies",
                "Cookies sent to clients, cookies that came back from real ones, and invalid ones. Many "
                "sent and few received is a flood with forged senders.",
                "cps",
                12,
                [
                    Line("sent", _all("syncookies_sent"), "sent", fixed(colours.CALM)),
                    Line("received", _all("syncookies_received"), "received, valid", fixed(colours.GOOD)),
                    Line("failed", _all("syncookies_failed"), "received, invalid", fixed(colours.WARNING)),
                ],
            ),
            graph(
                "SYNs that found the queue full",
                "Dropped where SYN cookies are off, which turns clients away; answered with a cookie where "
                "they are on.",
                "pps",
                12,
                [
                    Line("dropped", _all("syn_queue_full_drops"), "dropped", fixed(colours.CRITICAL)),
                    Line(
                        "cookies",
                        _all("syn_queue_full_cookies"),
                        "answered with a cookie",
                        fixed(colours.CALM),
                    ),
                ],
            ),
        ],
    )


def _all(name: str) -> str:
    return f"sum({queries.rate(queries.of_namespaces(f'listen_queue_netns_{name}_total'))})"
