"""Whether backlogs are as large as they could be, where queues fill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.doctor.finding import Certainty, Finding, Severity
from exporter.doctor.host_view import HostView, ListenerView, NamespaceView

# A queue that was so full in the watch is on the way to be full.
_BUSY_RATIO: Final = 0.5
# The default of net.core.somaxconn since Linux 5.4.
_LARGE: Final = 4096


def capped(host: HostView) -> Iterator[Finding]:
    """Find listeners that fill up, and whose backlog is as large as net.core.somaxconn allows."""
    for namespace in host.namespaces:
        somaxconn = namespace.sysctls.somaxconn if namespace.sysctls is not None else None
        for listener in namespace.listeners:
            fullest = listener.fullest
            if somaxconn is None or fullest is None or fullest.limit < somaxconn:
                continue
            if busy(listener, namespace):
                yield _capped(listener, namespace, somaxconn)


def busy(listener: ListenerView, namespace: NamespaceView) -> bool:
    """Tell whether a queue filled up in the watch, or clients were lost at it before."""
    fullest = listener.fullest
    return (fullest is not None and fullest.peak_ratio >= _BUSY_RATIO) or lost_before(listener, namespace)


def lost_before(listener: ListenerView, namespace: NamespaceView) -> bool:
    """Tell whether a listener has dropped packets in a namespace where accept queues were full."""
    overflows = namespace.counters.listen_overflows if namespace.counters is not None else None
    return bool(listener.drops and overflows)


def _capped(listener: ListenerView, namespace: NamespaceView, somaxconn: int) -> Finding:
    fullest = listener.fullest
    full = fullest is not None and fullest.was_full
    wanted = max(_LARGE, 2 * somaxconn)
    return Finding(
        name="backlog-capped",
        title=f"{listener.name}: its backlog is capped by net.core.somaxconn",
        severity=Severity.WARNING,
        certainty=Certainty.CERTAIN if full else Certainty.LIKELY,
        evidence=(
            f"its backlog is {somaxconn}, which is net.core.somaxconn here: the kernel grants no more",
            *evidence_of_load(listener, namespace),
        ),
        change=(
            f"set net.core.somaxconn to {wanted} (sysctl -w net.core.somaxconn={wanted}, and in "
            "/etc/sysctl.d), then restart the service: a socket keeps the backlog that it got"
        ),
        namespaces=(namespace.name,),
        listener=listener.key,
        process=listener.owner.process,
    )


def evidence_of_load(listener: ListenerView, namespace: NamespaceView) -> Iterator[str]:
    """Say how full the fullest socket was, and what was lost before."""
    fullest = listener.fullest
    if fullest is not None and fullest.longest:
        yield (
            f"{fullest.longest} connections waited at most, of {fullest.limit + 1} that it holds"
            + (f"; it was full for {listener.full_seconds:.1f} s" if fullest.was_full else "")
        )
    if lost_before(listener, namespace) and namespace.counters is not None:
        yield (
            f"it has dropped {listener.drops} packets since it was opened, in a network namespace that "
            f"counts {namespace.counters.listen_overflows} overflows of accept queues (ListenOverflows)"
        )
