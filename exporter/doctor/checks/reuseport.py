"""Whether the sockets of one listener (SO_REUSEPORT) share the load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.doctor.checks import load
from exporter.doctor.checks.subject import finding_about
from exporter.doctor.finding import Certainty, Finding, FindingSeverity
from exporter.doctor.host_view import HostView, ListenerView

UNBALANCED: Final = "reuseport-unbalanced"
_NEARLY_FULL: Final = 0.9
# The other sockets hold less than this part of what the fullest one holds.
_LESS: Final = 0.5


def unbalanced(host: HostView) -> Iterator[Finding]:
    """Find listeners of several sockets of which one is full or nearly so, while the others have space."""
    for namespace in host.namespaces:
        for listener in namespace.listeners:
            fullest = listener.fullest
            if fullest is None or len(listener.sockets) == 1 or fullest.peak_ratio < _NEARLY_FULL:
                continue
            others = (sum(each.longest for each in listener.sockets) - fullest.longest) / (
                len(listener.sockets) - 1
            )
            if others < _LESS * fullest.longest:
                yield _finding(listener, others)


def _finding(listener: ListenerView, others: float) -> Finding:
    fullest = listener.fullest
    longest = fullest.longest if fullest is not None else 0
    holds = fullest.limit + 1 if fullest is not None else 0
    held = load.count(longest, "connection")
    steady = fullest is not None and fullest.shortest / (fullest.limit + 1) >= _NEARLY_FULL
    return finding_about(
        listener,
        name=UNBALANCED,
        title=f"{listener.name}: one of its {len(listener.sockets)} sockets fills, the others have space",
        severity=FindingSeverity.CRITICAL
        if fullest is not None and fullest.full
        else FindingSeverity.WARNING,
        certainty=Certainty.CERTAIN if steady else Certainty.LIKELY,
        evidence=(
            f"the fullest socket held {held} of {holds}, the others about {others:.0f}",
            "the kernel chooses the socket by a hash of addresses and ports, however full it is",
        ),
        change=(
            "restart the worker that has the full socket (ss -ltnp shows it); a worker that does long "
            "work should not have a socket of its own"
        ),
    )
