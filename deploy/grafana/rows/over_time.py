"""The selected listeners over time."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import timeseries

from deploy.grafana import colours, queries
from deploy.grafana.panels import Line, Style, dashed, graph, shades
from deploy.grafana.rows.row import Row

_MAIN: Final[Style] = {**shades(colours.NEUTRAL), "custom.lineWidth": 2}
_PEAK: Final[Style] = {**shades("purple"), "custom.fillOpacity": 0}
_FULL: Final[Style] = {**shades(colours.CRITICAL), "custom.lineWidth": 2}


def row() -> Row:
    """The second row, which is open when the dashboard opens."""
    return Row(
        "The chosen listener over time",
        [_length(), _utilization(), _time_full(), _oldest_wait()],
        closed=False,
    )


def _length() -> timeseries.Panel:
    return graph(
        "Connections waiting",
        "Connections that wait until the program accepts them, and the backlog. The queue holds one "
        "connection more than the backlog.",
        "none",
        12,
        [
            Line("waiting", _of("listen_queue_accept_length"), f"waiting · {queries.LEGEND}", _MAIN),
            Line(
                "limit",
                _of("listen_queue_accept_limit"),
                f"backlog · {queries.LEGEND}",
                dashed(colours.FAINT),
            ),
        ],
    ).decimals(0)


def _utilization() -> timeseries.Panel:
    return graph(
        "Utilization",
        "How full the fullest socket of the listener is: 1 is full. The dashed lines are the levels of the "
        "rule that speaks for the listener in the exporter's configuration; levels in connections are shown "
        "as a share.",
        "percentunit",
        12,
        [
            Line("now", _of("listen_queue_accept_utilization_ratio"), f"now · {queries.LEGEND}", _MAIN),
            Line(
                "peak", _of("listen_queue_accept_peak_utilization_ratio"), f"peak · {queries.LEGEND}", _PEAK
            ),
            *(
                Line(
                    name,
                    queries.selected(queries.threshold_ratio(name)),
                    f"{name} · rule {{{{rule}}}}",
                    dashed(colour),
                )
                for name, colour in (("warning", colours.WARNING), ("critical", colours.CRITICAL))
            ),
        ],
    ).axis_soft_max(1)


def _time_full() -> timeseries.Panel:
    return graph(
        "Share of time full",
        "The part of the time in which the queue was full: 100 % is all of the time. What happens between "
        "two scrapes counts too.",
        "percentunit",
        12,
        [Line("full", _rate("listen_queue_accept_full_seconds_total"), f"full · {queries.LEGEND}", _FULL)],
    ).max(1)


def _oldest_wait() -> timeseries.Panel:
    return graph(
        "Oldest wait",
        "How long the connection at the head of the queue has waited. Where it grows as fast as time, the "
        "program accepts nothing. The kernel does not tell this of unix sockets.",
        "s",
        12,
        [Line("wait", _of("listen_queue_accept_oldest_wait_seconds"), queries.LEGEND, _MAIN)],
    )


def _of(name: str) -> str:
    return queries.selected(queries.of_listeners(name))


def _rate(name: str) -> str:
    return queries.selected(queries.rate(queries.of_listeners(name)))
