"""The present state: six numbers, and a table of all listeners, the fullest first."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import stat, table

from deploy.grafana import colours, queries
from deploy.grafana.panels import Style, number
from deploy.grafana.rows.row import Row
from deploy.grafana.tables import HIDDEN, Label, Value, as_share, listing

# The same dashboard, for the listener of one row of the table.
_TO_LISTENER: Final = (
    "/d/listen-queue?${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}&var-process=$__all"
    "&var-instance=${__data.fields.Host:percentencode}"
    "&var-netns=${__data.fields.Netns:percentencode}"
    "&var-listener=${__data.fields.Listener:percentencode}&${__url_time_range}"
)
_LINKED: Final[Style] = {
    "links": [{"title": "Show this listener", "url": _TO_LISTENER}],
    "custom.minWidth": 215,
}
_STATES: Final = {
    0: ("ok", colours.TEXT),
    1: ("warning", colours.WARNING),
    2: ("critical", colours.CRITICAL),
}
_STATE: Final[Style] = {
    "mappings": [colours.value_map(_STATES)],
    "custom.cellOptions": {"type": "color-text"},
    "custom.width": 80,
}
_WHOLE: Final[Style] = {"unit": "none", "decimals": 0, "custom.width": 72}
_SECONDS: Final[Style] = {"unit": "s", "decimals": 1, "custom.width": 100}
_USED: Final[Style] = {**as_share(colours.by_utilization(colours.TEXT)), "custom.width": 75}
_GAUGE: Final[Style] = {
    **as_share(colours.by_utilization(colours.NEUTRAL)),
    "min": 0,
    "max": 1,
    "custom.cellOptions": {"type": "gauge", "mode": "basic"},
    "custom.width": 150,
}
_TIME_FULL: Final[Style] = {
    **as_share(colours.steps(colours.TEXT, (0.001, colours.WARNING), (0.1, colours.CRITICAL))),
    "decimals": 1,
    "custom.width": 105,
}


def row() -> Row:
    """The first row, which is open when the dashboard opens."""
    return Row("What is wrong now", [*_numbers(), _listeners()], closed=False)


def _numbers() -> list[stat.Panel]:
    of = queries.of_listeners
    overflows = queries.of_namespaces("listen_queue_netns_listen_overflows_total")
    refused = queries.of_namespaces("listen_queue_netns_syn_queue_full_drops_total")
    cookies = queries.of_namespaces("listen_queue_netns_syn_queue_full_cookies_total")
    # With tcp_syncookies 2 the kernel counts every SYN, whether the queue is full or not.
    setting = queries.of_namespaces("listen_queue_sysctl_net_ipv4_tcp_syncookies")
    only_when_full = f"on (cluster, job, instance, netns) ({setting} != bool 2)"
    full_seconds = queries.last_five_minutes(of("listen_queue_accept_full_seconds_total"))
    exceeded = of("listen_queue_threshold_exceeded", 'severity="warning"')
    success = queries.of_exporters("listen_queue_exporter_source_success", 'source!="owners"')
    critical_from_1 = colours.steps(colours.TEXT, (1, colours.CRITICAL))
    warning_from_1 = colours.steps(colours.TEXT, (1, colours.WARNING))
    return [
        number(
            "Full now",
            "Listeners whose accept queue is full at this moment: new clients are refused or wait.",
            f"sum({of('listen_queue_accept_utilization_ratio')} >= bool 1)",
            critical_from_1,
            "ListenQueueFull",
        ),
        number(
            "Full in the last 5 minutes",
            "Listeners whose accept queue was full at some time of the last five minutes, also between two "
            "scrapes.",
            f"sum({full_seconds} > bool 0)",
            warning_from_1,
            "ListenQueueFullAtTimes",
        ),
        number(
            "Beyond warning",
            "Listeners whose accept queue or SYN queue is beyond the warning level of the exporter's "
            "configuration.",
            f"sum(max without (queue) ({exceeded}))",
            warning_from_1,
            "ListenQueueFilling",
        ),
        number(
            "Overflows in 5 minutes",
            "Times in the last five minutes that a full accept queue made the kernel drop a packet of a "
            "client.",
            f"sum({queries.last_five_minutes(overflows)})",
            critical_from_1,
            "ListenQueueOverflow",
        ),
        number(
            "SYN queue full in 5 minutes",
            "SYNs of the last five minutes that found a SYN queue full and were dropped or answered with a "
            "cookie: a flood, or a backlog that is too small.",
            f"sum({queries.last_five_minutes(refused)})"
            f" + (sum({queries.last_five_minutes(cookies)} * {only_when_full}) or vector(0))",
            warning_from_1,
            "ListenQueueSynCookies",
        ),
        number(
            "Exporters down or blind",
            "Exporters that do not answer, and those that answer but of which a source failed: what they do "
            "not see is missing on this page, and not 0. Names of owners do not count.",
            f"sum(({queries.exporters_of_last_day('up')}) == bool 0)"
            f" + (sum(min by (cluster, job, instance) ({success}) == bool 0) or vector(0))",
            critical_from_1,
            "ListenQueueExporterBlind",
        ),
    ]


def _listeners() -> table.Panel:
    of = queries.of_listeners
    exceeded = f"sum by ({queries.TABLE_LABELS}, queue) ({of('listen_queue_threshold_exceeded')})"
    ratio = queries.with_listener_name(of("listen_queue_accept_utilization_ratio"))
    utilization = Value(
        f"max by ({queries.TABLE_LABELS}, listener) ({ratio})",
        "Utilization",
        _GAUGE,
    )
    full = queries.last_five_minutes(of("listen_queue_accept_full_seconds_total"))
    syn_queue = f"{of('listen_queue_syn_recv')} / {of('listen_queue_syn_recv_limit')}"
    return listing(
        "Listeners",
        "Every listener of the hosts, namespaces and processes that are chosen, the fullest first. A click "
        "on an address shows that listener alone, here and below. State is by the levels of the exporter's "
        "configuration; the colours of utilization begin at its defaults, 50 % and 90 %. A unix socket has "
        "no port, no oldest wait and no SYN queue.",
        [
            Value(_each(exceeded), "State", _STATE),
            Label("cluster", "Cluster", {"custom.width": 100}),
            Label("instance", "Host", {"custom.minWidth": 120}),
            Label("netns", "Netns", {"custom.width": 100}),
            Label("process", "Process", {"custom.width": 115}),
            Label("owner", "Pod, container or unit", {"custom.minWidth": 215}),
            Label("address", "Address", _LINKED),
            Label("port", "Port", {"custom.width": 65}),
            Value(_each(of("listen_queue_accept_length")), "Waiting", _WHOLE),
            Value(_each(of("listen_queue_accept_limit")), "Limit", _WHOLE),
            utilization,
            Value(_each(of("listen_queue_accept_peak_utilization_ratio")), "Peak", _USED),
            Value(_each(f"{full} / 300"), "Full, 5 min", _TIME_FULL),
            Value(_each(of("listen_queue_accept_oldest_wait_seconds")), "Oldest wait", _SECONDS),
            Value(_each(syn_queue), "SYN queue", {**_USED, "custom.width": 95}),
            Value(f"max by ({queries.TABLE_LABELS}, owner) ({queries.owner()})"),
            Label("listener", "Listener", HIDDEN),
        ],
        sort_by=utilization,
        leave_out=["job", "protocol", *queries.OWNER_LABELS],
    ).height(12)


def _each(expression: str) -> str:
    """The maximum by the labels of the table, which removes the metric's name."""
    return f"max by ({queries.TABLE_LABELS}) ({expression})"
