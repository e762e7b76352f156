"""The metrics of a network namespace: its TCP counters and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.metrics_core import Metric as Family

from exporter.metrics.catalogue import Metric
from exporter.sampling.namespace import NamespaceSampler

Read = Callable[[NamespaceSampler], float | None]

_LABELS: Final = ("netns",)


def _counter(name: str, help_text: str, field: str) -> tuple[Metric, str, Read]:
    metric = Metric(f"listen_queue_netns_{name}", "counter", help_text, _LABELS)
    return metric, "netstat", lambda namespace: getattr(namespace.counters, field)


def _sysctl(name: str, help_text: str, field: str) -> tuple[Metric, str, Read]:
    metric = Metric(f"listen_queue_sysctl_{name}", "gauge", help_text, _LABELS)
    return metric, "netstat", lambda namespace: getattr(namespace.sysctls, field)


NAMESPACE_METRICS: Final = (
    _counter(
        "listen_overflows",
        "Times that a full accept queue made the kernel drop a packet (TcpExt ListenOverflows).",
        "listen_overflows",
    ),
    _counter(
        "listen_drops",
        "Packets dropped at any listener for any reason, overflows included (TcpExt ListenDrops).",
        "listen_drops",
    ),
    _counter(
        "syn_queue_full_drops",
        "SYNs dropped because a SYN queue was full and SYN cookies are off (TcpExt TCPReqQFullDrop).",
        "syn_queue_full_drops",
    ),
    _counter(
        "syn_queue_full_cookies",
        "SYNs answered with a cookie because a SYN queue was full (TcpExt TCPReqQFullDoCookies).",
        "syn_queue_full_cookies",
    ),
    _counter("syncookies_sent", "SYN cookies sent (TcpExt SyncookiesSent).", "syncookies_sent"),
    _counter(
        "syncookies_received",
        "Valid SYN cookies that came back (TcpExt SyncookiesRecv).",
        "syncookies_received",
    ),
    _counter(
        "syncookies_failed",
        "Invalid SYN cookies that came back (TcpExt SyncookiesFailed).",
        "syncookies_failed",
    ),
    _sysctl("net_core_somaxconn", "Largest backlog that listen() grants (net.core.somaxconn).", "somaxconn"),
    _sysctl(
        "net_ipv4_tcp_max_syn_backlog",
        "Bound of half-open connections where SYN cookies are off (net.ipv4.tcp_max_syn_backlog).",
        "max_syn_backlog",
    ),
    _sysctl(
        "net_ipv4_tcp_syncookies",
        "SYN cookies: 0 never, 1 when a SYN queue is full, 2 always (net.ipv4.tcp_syncookies).",
        "syncookies",
    ),
    _sysctl(
        "net_ipv4_tcp_abort_on_overflow",
        "Whether an overflow resets the client: 1 is yes (net.ipv4.tcp_abort_on_overflow).",
        "abort_on_overflow",
    ),
    (
        Metric(
            "listen_queue_syn_recv_unmatched",
            "gauge",
            "Half-open connections that fit no listener: it closed a moment ago, "
            "or TPROXY took them elsewhere.",
            _LABELS,
        ),
        "syn_recv",
        lambda namespace: namespace.unmatched,
    ),
)


def namespace_families(namespaces: list[NamespaceSampler], now: float) -> Iterator[Family]:
    """Make the families; a namespace whose source is not healthy has no series of it."""
    for metric, source, read in NAMESPACE_METRICS:
        family = Family(metric.name, metric.help, metric.kind)
        for namespace in namespaces:
            value = read(namespace) if namespace.healthy(source, now) else None
            if value is not None:
                family.add_sample(metric.sample_name, {"netns": namespace.namespace.name}, value)
        yield family
