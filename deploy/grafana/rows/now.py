"""What is wrong now: six numbers, and all listeners with the fullest on top."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import stat, table

from deploy.grafana import colours, queries
from deploy.grafana.panels import Style, number
from deploy.grafana.rows.row import Row
from deploy.grafana.tables import HIDDEN, Figure, Label, as_share, listing

# The same dashboard, for the listener of one line of the table.
_TO_LISTENER: Final = (
    "/d/listen-queue?${datasource:queryparam}&${job:queryparam}&var-process=$__all"
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
    "mappings": [colours.words(_STATES)],
    "custom.cellOptions": {"type": "color-text"},
    "custom.width": 80,
}
_WHOLE: Final[Style] = {"unit": "none", "decimals": 0, "custom.width": 72}
_SECONDS: Final[Style] = {"unit": "s", "decimals": 1, "custom.width": 100}
_USED: Final[Style] = {**as_share(colours.by_utilization(colours.TEXT)), "custom.width": 75}
_GAUGE: Final[Style] = {
    **as_share(colours.by_utilization(colours.CALM)),
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
    """The first row, open at first."""
    return Row("What is wrong now", [*_numbers(), _listeners()], closed=False)


def _numbers() -> list[stat.Panel]:
    of = queries.of_listeners
    overflows = queries.of_namespaces("listen_queue_netns_listen_overflows_total")
    refused = queries.of_namespaces("listen_queue_netns_syn_queue_full_drops_total")
    cookies = queries.of_namespaces("listen_queue_netns_syn_queue_full_cookies_total")
    # Where cookies are always sent the kernel counts every SYN, full or not.
    setting = queries.of_namespaces("listen_queue_sysctl_net_ipv4_tcp_syncookies")
    when_full = f"on (job, instance, netns) ({setting} != bool 2)"
    full_seconds = queries.last_five_minutes(of("listen_queue_accept_full_seconds_total"))
    exceeded = of("listen_queue_threshold_exceeded", 'severity="warning"')
    success = queries.of_exporters("listen_queue_exporter_source_success", 'source!="owners"')
    is_bad = colours.steps(colours.TEXT, (1, colours.CRITICAL))
    is_worth_a_look = colours.steps(colours.TEXT, (1, colours.WARNING))
    return [
        number(
            "Full now",
            "Listeners whose accept queue is full at this moment: new clients are refused or wait.",
            f"sum({of('listen_queue_accept_utilization_ratio')} >= bool 1)",
            is_bad,
            "ListenQueueFull",
        ),
        number(
            "Full in the last 5 minutes",
            "Listeners whose accept queue was full at some time of the last five minutes, also between two "
            "scrapes.",
            f"sum({full_seconds} > bool 0)",
            is_worth_a_look,
            "ListenQueueFullAtTimes",
        ),
        number(
            "Beyond warning",
            "Listeners whose accept queue or SYN queue is beyond the warning level of the exporter's "
            "configuration.",
            f"sum(max by ({queries.LISTENER}) ({exceeded}))",
            is_worth_a_look,
            "ListenQueueFilling",
        ),
        number(
            "Overflows in 5 minutes",
            "Times in the last five minutes that a full accept queue made the kernel drop a packet of a "
            "client.",
            f"sum({queries.last_five_minutes(overflows)})",
            is_bad,
            "ListenQueueOverflow",
        ),
        number(
            "SYN queue full in 5 minutes",
            "SYNs of the last five minutes that found a SYN queue full and were dropped or answered with a "
            "cookie: a flood, or a backlog that is too small.",
            f"sum({queries.last_five_minutes(refused)})"
            f" + (sum({queries.last_five_minutes(cookies)} * {when_full}) or vector(0))",
            is_worth_a_look,
            "ListenQueueSynCookies",
        ),
        number(
            "Exporters down or blind",
            "Exporters that do not answer, and those that answer but of which a source failed: what they do "
            "not see is missing on this page, and not 0. Names of owners do not count.",
            f"sum(({queries.seen('up')}) == bool 0)"
            f" + (sum(min by (job, instance) ({success}) == bool 0) or vector(0))",
            is_bad,
            "ListenQueueExporterBlind",
        ),
    ]


def _listeners() -> table.Panel:
    of = queries.of_listeners
    exceeded = f"sum by ({queries.SHOWN}, queue) ({of('listen_queue_threshold_exceeded')})"
    utilization = Figure(
        f"max by ({queries.SHOWN}, listener) ({queries.named(of('listen_queue_accept_utilization_ratio'))})",
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
            Figure(_each(exceeded), "State", _STATE),
            Label("instance", "Host", {"custom.minWidth": 120}),
            Label("netns", "Netns", {"custom.width": 100}),
            Label("process", "Process", {"custom.width": 115}),
            Label("owner", "Pod, container or unit", {"custom.minWidth": 215}),
            Label("address", "Address", _LINKED),
            Label("port", "Port", {"custom.width": 65}),
            Figure(_each(of("listen_queue_accept_length")), "Waiting", _WHOLE),
            Figure(_each(of("listen_queue_accept_limit")), "Limit", _WHOLE),
            utilization,
            Figure(_each(of("listen_queue_accept_peak_utilization_ratio")), "Peak", _USED),
            Figure(_each(f"{full} / 300"), "Full, 5 min", _TIME_FULL),
            Figure(_each(of("listen_queue_accept_oldest_wait_seconds")), "Oldest wait", _SECONDS),
            Figure(_each(syn_queue), "SYN queue", {**_USED, "custom.width": 95}),
            Figure(f"max by ({queries.SHOWN}, owner) ({queries.owner()})"),
            Label("listener", "Listener", HIDDEN),
        ],
        sort_by=utilization,
        leave_out=["protocol"],
    ).height(12)


def _each(expression: str) -> str:
    """Without the metric's name, in which the lines of the table would differ."""
    return f"max by ({queries.SHOWN}) ({expression})"
