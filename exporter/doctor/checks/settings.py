"""Settings of network namespaces that lose clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.doctor.checks import load
from exporter.doctor.checks.subject import finding_about
from exporter.doctor.finding import Certainty, Finding, FindingSeverity
from exporter.doctor.host_view import HostView, NamespaceView
from exporter.kernel.procfs.counters import Sysctls

SOMAXCONN_LOW: Final = "somaxconn-below-host"
COOKIES_OFF: Final = "syncookies-off"
COOKIES_FORCED: Final = "syncookies-forced"
ABORT: Final = "abort-on-overflow"
SYN_BACKLOG: Final = "max-syn-backlog-binds"
_OFF: Final = 0
_FORCED: Final = 2


def settings(host: HostView) -> Iterator[Finding]:
    """Find settings that differ from what is wise, in namespaces that have TCP listeners."""
    yield from _somaxconn(host)
    yield from _syncookies(host)
    yield from _abort(host)


def syn_backlog(host: HostView) -> Iterator[Finding]:
    """Find namespaces without SYN cookies in which tcp_max_syn_backlog limits SYN queues."""
    for namespace in host.namespaces:
        sysctls = namespace.sysctls
        most = sysctls.max_syn_recv() if sysctls is not None else None
        if sysctls is None or most is None:
            continue
        bound = [each for each in namespace.tcp if each.limit is not None and most < each.limit + 1]
        if not bound:
            continue
        worst = max(bound, key=lambda each: each.syn_recv or 0)
        have = load.count(len(bound), "listener has", "listeners have")
        allowed = load.count(most, "half-open connection")
        near = (worst.syn_recv or 0) >= most / 2
        yield finding_about(
            namespace,
            name=SYN_BACKLOG,
            title="net.ipv4.tcp_max_syn_backlog limits the SYN queues, since SYN cookies are off",
            severity=FindingSeverity.WARNING if near else FindingSeverity.NOTE,
            certainty=Certainty.CERTAIN,
            evidence=(
                f"it is {sysctls.max_syn_backlog}, so a listener has {allowed} at most",
                f"{have} a larger backlog, of {load.count(len(namespace.tcp), 'TCP listener')}: {worst.name}",
                *(
                    (f"{load.count(worst.syn_recv, 'was', 'were')} half-open at once at {worst.name}",)
                    if near
                    else ()
                ),
            ),
            change="sysctl -w net.ipv4.tcp_syncookies=1, and in /etc/sysctl.d: then it limits nothing",
        )


def _somaxconn(host: HostView) -> Iterator[Finding]:
    own = host.namespaces[0].sysctls if host.namespaces else None
    if own is None or own.somaxconn is None:
        return
    most = own.somaxconn
    for value, group in _by_value(host, lambda sysctls: sysctls.somaxconn, tcp_only=False):
        if value >= most:
            continue
        capped = [each for each in group for of in each.listeners if of.was_full and of.limit == value]
        yield Finding(
            name=SOMAXCONN_LOW,
            title=f"net.core.somaxconn is {value} in {_count(group)}, and {most} in this one",
            severity=FindingSeverity.WARNING if capped else FindingSeverity.NOTE,
            certainty=Certainty.CERTAIN,
            evidence=(
                "each network namespace begins with the default of the kernel, not with that of the host",
                *((f"a queue with that backlog was full in {capped[0].name}",) if capped else ()),
            ),
            change=(
                "set it for the container (docker run --sysctl net.core.somaxconn=N; in Kubernetes "
                "securityContext.sysctls of the pod), then start it anew"
            ),
            namespaces=tuple(each.name for each in group),
        )


def _syncookies(host: HostView) -> Iterator[Finding]:
    for value, group in _by_value(host, lambda sysctls: sysctls.syncookies, tcp_only=True):
        if value == _OFF:
            yield Finding(
                name=COOKIES_OFF,
                title="SYN cookies are off: a flood or a burst of clients locks others out",
                severity=FindingSeverity.WARNING,
                certainty=Certainty.CERTAIN,
                evidence=("net.ipv4.tcp_syncookies is 0", *_dropped_syns(group)),
                change="sysctl -w net.ipv4.tcp_syncookies=1, and in /etc/sysctl.d; it counts at once",
                namespaces=tuple(each.name for each in group),
            )
        elif value == _FORCED:
            yield Finding(
                name=COOKIES_FORCED,
                title="SYN cookies are forced: connections lose TCP options that fit into none",
                severity=FindingSeverity.WARNING,
                certainty=Certainty.CERTAIN,
                evidence=("net.ipv4.tcp_syncookies is 2, which is for tests",),
                change="sysctl -w net.ipv4.tcp_syncookies=1, and in /etc/sysctl.d; it counts at once",
                namespaces=tuple(each.name for each in group),
            )


def _abort(host: HostView) -> Iterator[Finding]:
    for value, group in _by_value(host, lambda sysctls: sysctls.abort_on_overflow, tcp_only=True):
        if not value:
            continue
        overflows = sum(each.counters.listen_overflows or 0 for each in group if each.counters is not None)
        yield Finding(
            name=ABORT,
            title="tcp_abort_on_overflow is on: a full queue is an error, not a delay",
            severity=FindingSeverity.WARNING,
            certainty=Certainty.CERTAIN,
            evidence=(
                "net.ipv4.tcp_abort_on_overflow is 1: clients get RST, where they would try again",
                *(
                    (f"{load.count(overflows, 'overflow was', 'overflows were')} counted (ListenOverflows)",)
                    if overflows
                    else ()
                ),
            ),
            change=(
                "sysctl -w net.ipv4.tcp_abort_on_overflow=0, unless a load balancer in front is to try "
                "another server at once"
            ),
            namespaces=tuple(each.name for each in group),
        )


def _by_value(
    host: HostView, read: Callable[[Sysctls], int | None], *, tcp_only: bool
) -> list[tuple[int, list[NamespaceView]]]:
    """Return the namespaces that have listeners by the value of a setting, where it could be read."""
    groups: dict[int, list[NamespaceView]] = {}
    for namespace in host.namespaces:
        value = read(namespace.sysctls) if namespace.sysctls is not None else None
        if value is not None and (namespace.tcp if tcp_only else namespace.listeners):
            groups.setdefault(value, []).append(namespace)
    return sorted(groups.items())


def _count(group: list[NamespaceView]) -> str:
    return "one network namespace" if len(group) == 1 else f"{len(group)} network namespaces"


def _dropped_syns(group: list[NamespaceView]) -> list[str]:
    drops = sum(each.counters.syn_queue_full_drops or 0 for each in group if each.counters is not None)
    return (
        [f"{load.count(drops, 'SYN was', 'SYNs were')} dropped at full SYN queues (TCPReqQFullDrop)"]
        if drops
        else []
    )
