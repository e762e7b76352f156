"""A finding about one listener, or about a network namespace."""

from __future__ import annotations

from exporter.doctor.finding import Certainty, Finding, FindingSeverity
from exporter.doctor.host_view import ListenerView, NamespaceView


def finding_about(  # noqa: PLR0913 # each is named where it is given
    subject: ListenerView | NamespaceView,
    *,
    name: str,
    title: str,
    severity: FindingSeverity,
    certainty: Certainty,
    evidence: tuple[str, ...],
    change: str,
) -> Finding:
    """Return a finding about a network namespace, or about a listener with its program."""
    listener = subject if isinstance(subject, ListenerView) else None
    return Finding(
        name=name,
        title=title,
        severity=severity,
        certainty=certainty,
        evidence=evidence,
        change=change,
        namespaces=(subject.name if isinstance(subject, NamespaceView) else subject.key.netns,),
        listener=None if listener is None else listener.key,
        process="" if listener is None else listener.owner.process,
    )
