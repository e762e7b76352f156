"""What `doctor` prints: findings as text for a terminal of 80 columns, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from exporter.cli import table
from exporter.cli.colour import Colour, painted
from exporter.cli.wrapping import wrapped
from exporter.doctor.finding import Finding, FindingSeverity
from exporter.doctor.host_view import HostView
from exporter.kernel.family import FAMILIES
from exporter.kernel.netns.host_label import HOST

_WIDTH: Final = 80
Wrap = Callable[..., str]
_COLOURS: Final = {
    FindingSeverity.CRITICAL: Colour.RED,
    FindingSeverity.WARNING: Colour.YELLOW,
    FindingSeverity.NOTE: Colour.BOLD,
}
# More names of namespaces than this say less.
_MAX_NAMES: Final = 5


def text(host: HostView, findings: Sequence[Finding], *, colour: bool, encoding: str | None = None) -> str:
    """Return the report: a summary in one line, each finding, and what was not seen.

    `encoding` is that of where it is written, None where that can carry every character.
    """
    wrap = partial(_wrapped, encoding)
    blocks = [wrap(_summary(host, findings)), *(_finding(each, wrap, colour=colour) for each in findings)]
    if host.unseen:
        blocks.append("\n".join(_not_seen(host, wrap)))
    return "\n\n".join(blocks) + "\n"


def document(host: HostView, findings: Sequence[Finding]) -> str:
    """Return the same as JSON."""
    content = {
        "watched_seconds": round(host.seconds, 3),
        "seen": _seen(host),
        "findings": [_entry(each) for each in findings],
        "not_seen": [{"what": each.what, "needs": each.needs} for each in host.unseen],
    }
    return json.dumps(content, indent=2) + "\n"


def _summary(host: HostView, findings: Sequence[Finding]) -> str:
    tcp, unix, namespaces = _seen(host).values()
    # Short, so that a healthy host is one line.
    of = f"{namespaces} namespace{'s' if namespaces > 1 else ''}"
    read = f"{tcp} TCP and {unix} unix listeners, {of}, watched for {host.seconds:.1f} s"
    counted = Counter(each.severity for each in findings)
    counts = ", ".join(_counted(counted[each], each) for each in FindingSeverity if counted[each])
    if counted[FindingSeverity.CRITICAL] or counted[FindingSeverity.WARNING]:
        return f"{counts}: {read}."
    wrong = f"Nothing wrong{' in what could be read' if host.unseen else ''}"
    return f"{wrong}: {read}{f'; {counts}' if counts else ''}."


def _counted(number: int, severity: FindingSeverity) -> str:
    return f"{number} {severity}{'s' if number > 1 and severity is not FindingSeverity.CRITICAL else ''}"


def _seen(host: HostView) -> dict[str, int]:
    protocols = Counter(each.key.protocol for namespace in host.namespaces for each in namespace.listeners)
    return {
        **{f"{family.protocol}_listeners": protocols[family.protocol] for family in FAMILIES},
        "network_namespaces": len(host.namespaces),
    }


def _finding(finding: Finding, wrap: Wrap, *, colour: bool) -> str:
    severity = finding.severity.upper()
    title = wrap(f"{severity} {finding.title} ({finding.certainty})", following="  ")
    if colour:
        title = f"{painted(severity, _COLOURS[finding.severity])}{title.removeprefix(severity)}"
    lines = [wrap(each, "  - ", "    ") for each in (*_where(finding), *finding.evidence)]
    return "\n".join([title, *lines, wrap(f"change: {finding.change}", "  ", "    ")])


def _where(finding: Finding) -> Iterator[str]:
    names = finding.namespaces
    if names in ((), (HOST,)):
        return
    shown = ", ".join(names[:_MAX_NAMES])
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    yield f"in network namespace{'s' if len(names) > 1 else ''} {shown}{more}"


def _not_seen(host: HostView, wrap: Wrap) -> Iterator[str]:
    yield "Not seen:"
    for each in host.unseen:
        yield wrap(f"{each.what}: {each.needs}", "  - ", "    ")


def _wrapped(encoding: str | None, line: str, first: str = "", following: str = "") -> str:
    return wrapped(table.carried(table.printable(line), encoding), _WIDTH, first, following)


def _entry(finding: Finding) -> dict[str, Any]:
    listener = finding.listener
    return {
        "name": finding.name,
        "severity": finding.severity,
        "certainty": finding.certainty,
        "title": finding.title,
        "evidence": finding.evidence,
        "change": finding.change,
        "namespaces": finding.namespaces,
        "listener": None if listener is None else {**listener._asdict(), "process": finding.process},
    }
