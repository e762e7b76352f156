"""The metrics of a network namespace: its TCP counters and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.metrics.context import ScrapeContext
from exporter.metrics.metric import Labels, Metric, Subject
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.sources.netstat import Netstat
from exporter.sampling.sources.syn_recv import SynRecv

Read = Callable[[NamespaceSampler], float | None]


def _namespaces(context: ScrapeContext) -> Iterator[tuple[Labels, NamespaceSampler]]:
    for namespace in context.sampler.namespaces:
        yield {"netns": namespace.name}, namespace


NAMESPACE: Final = Subject("A network namespace", ("netns",), _namespaces)


def _counter(name: str, help_text: str, read: Read) -> Metric[NamespaceSampler, float]:
    return Metric(NAMESPACE, f"listen_queue_netns_{name}", "counter", help_text, read, Netstat.NAME)


def _sysctl(name: str, help_text: str, read: Read) -> Metric[NamespaceSampler, float]:
    return Metric(NAMESPACE, f"listen_queue_sysctl_{name}", "gauge", help_text, read, Netstat.NAME)


NAMESPACE_METRICS: Final[tuple[Metric[NamespaceSampler, float], ...]] = (
    _counter(
        "listen_overflows",
        "Times that a full accept queue made the kernel drop a packet (TcpExt ListenOverflows).",
        lambda namespace: namespace.source(Netstat).tcp.listen_overflows,
    ),
    _counter(
        "listen_drops",
        "Packets dropped at any listener for any reason, overflows included (TcpExt ListenDrops).",
        lambda namespace: namespace.source(Netstat).tcp.listen_drops,
    ),
    _counter(
        "syn_queue_full_drops",
        "SYNs dropped because a SYN queue was full and SYN cookies are off (TcpExt TCPReqQFullDrop).",
        lambda namespace: namespace.source(Netstat).tcp.syn_queue_full_drops,
    ),
    _counter(
        "syn_queue_full_cookies",
        "SYNs answered with a cookie because a SYN queue was full (TcpExt TCPReqQFullDoCookies).",
        lambda namespace: namespace.source(Netstat).tcp.syn_queue_full_cookies,
    ),
    _counter(
        "syncookies_sent",
        "SYN cookies sent (TcpExt SyncookiesSent).",
        lambda namespace: namespace.source(Netstat).tcp.syncookies_sent,
    ),
    _counter(
        "syncookies_received",
        "Valid SYN cookies that came back (TcpExt SyncookiesRecv).",
        lambda namespace: namespace.source(Netstat).tcp.syncookies_received,
    ),
    _counter(
        "syncookies_failed",
        "Invalid SYN cookies that came back (TcpExt SyncookiesFailed).",
        lambda namespace: namespace.source(Netstat).tcp.syncookies_failed,
    ),
    _sysctl(
        "net_core_somaxconn",
        "Largest backlog that listen() grants (net.core.somaxconn).",
        lambda namespace: namespace.source(Netstat).sysctls.somaxconn,
    ),
    _sysctl(
        "net_ipv4_tcp_max_syn_backlog",
        "Bound of half-open connections where SYN cookies are off (net.ipv4.tcp_max_syn_backlog).",
        lambda namespace: namespace.source(Netstat).sysctls.max_syn_backlog,
    ),
    _sysctl(
        "net_ipv4_tcp_syncookies",
        "SYN cookies: 0 never, 1 when a SYN queue is full, 2 always (net.ipv4.tcp_syncookies).",
        lambda namespace: namespace.source(Netstat).sysctls.syncookies,
    ),
    _sysctl(
        "net_ipv4_tcp_abort_on_overflow",
        "Whether an overflow resets the client: 1 is yes (net.ipv4.tcp_abort_on_overflow).",
        lambda namespace: namespace.source(Netstat).sysctls.abort_on_overflow,
    ),
    Metric(
        NAMESPACE,
        "listen_queue_syn_recv_unmatched",
        "gauge",
        "Half-open connections that fit no listener: it has just closed, or they were redirected by BPF, or "
        "by TPROXY on Linux before 5.11.",
        lambda namespace: namespace.source(SynRecv).unmatched,
        SynRecv.NAME,
    ),
)
