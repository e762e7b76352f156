"""The document of `/api/v1/listeners`: every listener with its figures, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from exporter.api import listener_errors
from exporter.api.listener_members import members
from exporter.api.query import ListenerQuery
from exporter.api.queue_state import QueueState
from exporter.config.model import Queue, Severity
from exporter.doctor.unseen import unseen
from exporter.kernel.netns.host_label import HOST
from exporter.metrics.listener_metrics import GAUGES_AND_COUNTERS, KEY_LABELS
from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER
from exporter.sampling.clock import Clock
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT
from exporter.sampling.sampler import Sampler

_PREFIX: Final = "listen_queue_"
_PEAKS: Final = ("accept_peak_length", "accept_peak_utilization_ratio", "syn_recv_peak")
# What one sample can tell, and peaks, beside which it stands for how long they were looked for.
_METRICS: Final = {
    name: metric
    for name, metric in ((each.sample_name.removeprefix(_PREFIX), each) for each in GAUGES_AND_COUNTERS)
    if not metric.needs_history or name in _PEAKS
}
_OWNER: Final = tuple(fact for fact in OWNER_FACTS if fact.label)
_LEVELS: Final = tuple((queue, severity) for queue in Queue for severity in Severity)
_FULL: Final = 1.0
# A queue that cannot be read may be in any state.
_RANKS: Final = {state: rank for rank, state in enumerate((*list(QueueState)[:-1], None, QueueState.OK))}

# By the label of a namespace and the protocol (NamespaceSampler.healthy_sources).
_HealthySources = Mapping[str, Mapping[str, frozenset[str]]]
Document = dict[str, Any]
Row = dict[str, Any]


class Listeners:
    """Reads what a sampler has found.

    The document has `time` (Unix seconds), `listeners`, `errors` and `not_seen`. A listener has its labels,
    its owner, `stale_path`, `rule` and the thresholds of that as they are written (`accept_warning` and so
    on), `state` (a QueueState; null where the queue cannot be read), the metrics of its newest sample by
    their names, and the highest of the last `peak_seconds`; one whose source failed is null, never 0. With
    `members` asked for it has each of its sockets. Where the listeners themselves cannot be read they are not
    there. An error has `netns`, `source`, `error`, and whether it `hides_listeners`. `not_seen` has what
    cannot be read, and what it takes to read it.
    """

    def __init__(self, sampler: Sampler, clock: Clock) -> None:
        self._sampler = sampler
        self._clock = clock

    def document(self, query: ListenerQuery) -> Document:
        """Return the listeners that are asked for."""
        sampler, now = self._sampler, self._clock.monotonic()
        with sampler.lock:
            healthy = {namespace.name: namespace.healthy_sources(now) for namespace in sampler.namespaces}
            rows = [
                (_order(state), _row(state, _sources(state, healthy)) | self._members(state, query))
                for state in sampler.published(now)
                if ACCEPT in _sources(state, healthy) and query.selects(_labels(state))
            ]
            errors = listener_errors.errors(sampler, now)
            hidden = unseen(sampler)
        return {
            "time": round(self._clock.wall(), 3),
            "listeners": [row for _, row in sorted(rows, key=lambda each: each[0])],
            "errors": errors,
            "not_seen": [{"what": each.what, "needs": each.needs} for each in hidden if not each.configured],
        }

    def _members(self, state: ListenerState, query: ListenerQuery) -> Row:
        if not query.members:
            return {}
        return {"members": members(state.group, self._sampler.owners.process_of)}


def columns() -> list[str]:
    """Return the names of what every listener has in the document, in their order."""
    return [
        *KEY_LABELS,
        *(fact.name for fact in _OWNER),
        "stale_path",
        "state",
        "rule",
        *(_level_name(*each) for each in _LEVELS),
        *_METRICS,
        "peak_seconds",
    ]


def _order(state: ListenerState) -> tuple[int, float, float, bool, str, str, str, int]:
    """Put the worst state first, then what is and was fullest.

    Of equals those of the exporter's own namespace come first, then others by the names of theirs.
    """
    key = state.group.key
    port = int(key.port) if key.port.isdecimal() else 0
    now, peak = state.group.utilization or 0.0, state.accept.peak_ratio() or 0.0
    return (
        *(_RANKS[_state(state)], -now, -peak),
        *(key.netns != HOST, key.netns, key.protocol, key.address, port),
    )


def _sources(state: ListenerState, healthy: _HealthySources) -> frozenset[str]:
    key = state.group.key
    return healthy[key.netns][key.protocol]


def _labels(state: ListenerState) -> dict[str, str]:
    owner = state.owner or UNKNOWN_OWNER
    return dict(zip(KEY_LABELS, state.key(), strict=True)) | {fact.name: fact.of(owner) for fact in _OWNER}


def _row(state: ListenerState, sources: frozenset[str]) -> Row:
    values: Row = {"stale_path": state.stale_path, "state": _state(state)} | _thresholds(state)
    for name, metric in _METRICS.items():
        values[name] = metric.read(state) if metric.source in sources else None
    values["peak_seconds"] = round(state.peak_seconds(), 3)
    return _labels(state) | values


def _thresholds(state: ListenerState) -> Row:
    match = state.rule_match
    levels = {} if match is None else match.thresholds.levels
    return {"rule": "" if match is None else match.rule} | {
        _level_name(*each): str(levels[each])
        if each in levels and (each[0] is Queue.ACCEPT or state.syn_recv is not None)
        else None
        for each in _LEVELS
    }


def _level_name(queue: Queue, severity: Severity) -> str:
    return f"{queue}_{severity}"


def _state(state: ListenerState) -> QueueState | None:
    ratio = state.group.utilization
    if ratio is not None and ratio >= _FULL:
        return QueueState.FULL
    histories = [history for history in (state.accept, state.syn_recv) if history is not None]
    for severity in (Severity.CRITICAL, Severity.WARNING):
        if any(history.active(severity) for history in histories):
            return QueueState(severity)
    # Where the backlog is not known, a share of the queue is not either.
    known = all(each.known for each in state.accept.threshold_states.values())
    return QueueState.OK if known else None
