"""A finding about one listener."""

from __future__ import annotations

from exporter.doctor.finding import Certainty, Finding, Severity
from exporter.doctor.host_view import ListenerView


def finding_about(  # noqa: PLR0913 # each is named where it is given
    listener: ListenerView,
    *,
    name: str,
    title: str,
    severity: Severity,
    certainty: Certainty,
    evidence: tuple[str, ...],
    change: str,
) -> Finding:
    """Return a finding that names the listener, its program and its network namespace."""
    return Finding(
        name=name,
        title=title,
        severity=severity,
        certainty=certainty,
        evidence=evidence,
        change=change,
        namespaces=(listener.key.netns,),
        listener=listener.key,
        process=listener.owner.process,
    )
