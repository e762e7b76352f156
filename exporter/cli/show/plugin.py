"""What `show --check` prints and returns: the line and the status of a monitoring plugin.

The form is that of the Monitoring Plugins Development Guidelines
(https://www.monitoring-plugins.org/doc/guidelines.html).
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exporter.api.query import matches
from exporter.api.queue_state import QueueState
from exporter.cli import table
from exporter.cli.show.listener import ShownListener
from exporter.kernel.netns.host_label import HOST

_NAME: Final = "LISTEN QUEUE"
# More names than these make no line that fits into a message.
_MAX_NAMES: Final = 3
_UNIT_OF_RATIOS: Final = "%"


class PluginStatus(enum.IntEnum):
    """The exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_STATUSES: Final = {
    QueueState.FULL: PluginStatus.CRITICAL,
    QueueState.CRITICAL: PluginStatus.CRITICAL,
    QueueState.WARNING: PluginStatus.WARNING,
    QueueState.OK: PluginStatus.OK,
    None: PluginStatus.UNKNOWN,
}
# From the worst on: what is known to be wrong counts more than what is not known.
_ORDER: Final = (PluginStatus.CRITICAL, PluginStatus.WARNING, PluginStatus.UNKNOWN, PluginStatus.OK)


@dataclass(frozen=True, slots=True)
class PluginOutput:
    """The exit status and the line."""

    status: PluginStatus
    line: str


def unknown(reason: str) -> PluginOutput:
    """Return the output where nothing can be said."""
    return _output(PluginStatus.UNKNOWN, reason)


def checked(
    listeners: Sequence[ShownListener],
    errors: Sequence[Mapping[str, Any]],
    patterns: Sequence[tuple[str, str]],
) -> PluginOutput:
    """Return the output for these listeners, which `patterns` have chosen, the worst first.

    `errors` are those of the document: with one the status is never OK, since a listener may be hidden.
    """
    hidden = list(dict.fromkeys(_error(each) for each in errors if _concerns(each, patterns)))
    if not listeners:
        reason = "no listener matches the flags" if patterns else "no listener was found"
        # Where something cannot be read, that is why none matches.
        return unknown("; ".join(hidden or [reason]))
    found = [_STATUSES[each.state] for each in listeners]
    found += [PluginStatus.UNKNOWN for _ in hidden]
    status = next(each for each in _ORDER if each in found)
    performance = [text for each in listeners for text in _performance(each)]
    return _output(status, "; ".join([_summary(listeners), *hidden]), performance)


def _output(status: PluginStatus, message: str, performance: Sequence[str] = ()) -> PluginOutput:
    # What follows a pipe is performance data, so no message may have one.
    text = f"{_NAME} {status.name} - {_plain(message)}"
    return PluginOutput(status, f"{text} | {' '.join(performance)}" if performance else text)


def _summary(listeners: Sequence[ShownListener]) -> str:
    total = len(listeners)
    of = f"{total} listener{'' if total == 1 else 's'}"
    wrong = [each for each in listeners if each.state is not QueueState.OK]
    if not wrong:
        return f"{of}, the fullest {_described(listeners[0])}"
    counted = Counter(each.state for each in wrong)
    counts = ", ".join(f"{count} {state or 'unknown'}" for state, count in counted.items())
    names = "; ".join(_described(each) for each in wrong[:_MAX_NAMES])
    more = f"; and {len(wrong) - _MAX_NAMES} more" if len(wrong) > _MAX_NAMES else ""
    return f"{counts} of {of}: {names}{more}"


def _described(listener: ShownListener) -> str:
    netns = "" if listener.text("netns") == HOST else f" in {listener.netns}"
    owner = "" if listener.owner == table.NOTHING else f" {listener.owner}"
    length, peak = listener.number("accept_length"), listener.number("accept_peak_length")
    peaked = f", at most {peak:.0f}" if length is not None and peak is not None and peak > length else ""
    syn_recv = f", {listener.count('syn_recv')} half-open" if listener.number("syn_recv") else ""
    named = f"{listener.endpoint}{netns}{owner}"
    return f"{named} {listener.state or 'unknown'} {listener.queue}{peaked}{syn_recv}"


def _concerns(error: Mapping[str, Any], patterns: Sequence[tuple[str, str]]) -> bool:
    """Tell whether an error may hide any of the listeners that patterns choose, or their state.

    Without its owner a listener is there, but no pattern of a process finds it.
    """
    if error.get("source") == "owners":
        return any(name == "process" for name, _ in patterns)
    netns = str(error.get("netns", ""))
    # Whether there are further namespaces is found out in the host's own.
    if error.get("source") == "namespaces":
        return True
    return all(matches(netns, pattern) for name, pattern in patterns if name == "netns")


def _error(error: Mapping[str, Any]) -> str:
    netns = str(error.get("netns", ""))
    where = "" if netns == HOST else f" in {table.name(netns)}"
    return f"cannot read {error.get('source')}{where}: {error.get('error')}"


def _performance(listener: ShownListener) -> Iterator[str]:
    """Return the data of each queue, in the unit that its thresholds were written in."""
    label = _label(listener)
    length, limit = listener.number("accept_length"), listener.number("accept_limit")
    sockets = listener.number("sockets")
    most = None if limit is None or sockets is None else limit + sockets
    yield _data(label, _Figures(length, most, listener.share), listener, "accept")
    limit = listener.number("syn_recv_limit")
    if limit is not None:
        syn_recv = listener.number("syn_recv")
        share = None if syn_recv is None or not limit else syn_recv / limit
        yield _data(f"{label} syn_recv", _Figures(syn_recv, limit, share), listener, "syn_recv")


@dataclass(frozen=True, slots=True)
class _Figures:
    """The connections of a queue, how many it holds, and how full it is; None where that is not known."""

    length: float | None
    most: float | None
    share: float | None


def _data(label: str, figures: _Figures, listener: ShownListener, queue: str) -> str:
    levels = [listener.text(f"{queue}_warning"), listener.text(f"{queue}_critical")]
    in_percent = any(each.endswith(_UNIT_OF_RATIOS) for each in levels)
    # Where the two are in different units, there is no place for the other one.
    bounds = [
        _plain(each.removesuffix(_UNIT_OF_RATIOS)) if each.endswith(_UNIT_OF_RATIOS) is in_percent else ""
        for each in levels
    ]
    if in_percent:
        value = "U" if figures.share is None else f"{figures.share * 100:.10g}%"
        return ";".join([f"'{label}'={value}", *bounds, "0"])
    value = "U" if figures.length is None else f"{figures.length:.0f}"
    most = "" if figures.most is None else f"{figures.most:.0f}"
    return ";".join([f"'{label}'={value}", *bounds, "0", most])


def _label(listener: ShownListener) -> str:
    """Return what tells a listener from the others. No quote and no equals sign may be in it."""
    netns = "" if listener.text("netns") == HOST else f"{listener.text('netns')}/"
    port = f":{listener.text('port')}" if listener.text("port") else ""
    process = f" {listener.text('process')}" if listener.text("process") else ""
    label = _plain(f"{netns}{listener.text('address')}{port}{process}")
    return label.replace("'", r"\x27").replace("=", r"\x3d")


def _plain(text: str) -> str:
    return table.printable(text).replace("|", r"\x7c")
