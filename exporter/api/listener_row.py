"""One listener, as documents have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from exporter.api.queue_state import QueueState
from exporter.config.model import Queue, Severity
from exporter.metrics.listener_metrics import GAUGES_AND_COUNTERS, KEY_LABELS
from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER
from exporter.sampling.history.accept import FULL
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

# By the label of a namespace and the protocol (NamespaceSampler.healthy_sources).
HealthySources = Mapping[str, Mapping[str, frozenset[str]]]
Row = dict[str, Any]


def healthy_sources(sampler: Sampler, now: float) -> HealthySources:
    """Return the sources whose newest samples may be published. The caller holds the lock."""
    return {namespace.name: namespace.healthy_sources(now) for namespace in sampler.namespaces}


def readable(sampler: Sampler, healthy: HealthySources, now: float) -> list[ListenerState]:
    """Return the published listeners whose accept queue can be read. The caller holds the lock."""
    return [state for state in sampler.published(now) if ACCEPT in _sources(state, healthy)]


def labels(state: ListenerState) -> dict[str, str]:
    """Return what tells a listener from all others."""
    names = dict(zip(KEY_LABELS, state.key(), strict=True))
    return names | {"process": state.owner.process if state.owner else ""}


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


def limit(state: ListenerState, queue: Queue) -> int | None:
    """Return the limit that is published of a queue, None where that is not known.

    That of the accept queue is the backlog, beside which each socket admits one connection more.
    """
    return state.group.limit if queue is Queue.ACCEPT else state.syn_recv_limit()


def row(state: ListenerState, healthy: HealthySources) -> Row:
    """Return the names, the owner, the thresholds and the metrics of a listener; see Listeners."""
    owner, sources = state.owner or UNKNOWN_OWNER, _sources(state, healthy)
    values: Row = labels(state) | {fact.name: fact.of(owner) for fact in _OWNER}
    values |= {"stale_path": state.stale_path, "state": state_of(state)} | _thresholds(state)
    for name, metric in _METRICS.items():
        values[name] = metric.read(state) if metric.source in sources else None
    values["peak_seconds"] = round(state.peak_seconds(), 3)
    return values


def row_of_page(state: ListenerState, healthy: HealthySources) -> Row:
    """Return the same with `has_syn_queue`, by which a page for people leaves out what a family lacks."""
    return row(state, healthy) | {"has_syn_queue": state.syn_recv is not None}


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


def state_of(state: ListenerState) -> QueueState | None:
    """Return the state of a listener, None where its queue cannot be read."""
    ratio = state.group.utilization
    if ratio is not None and ratio >= FULL:
        return QueueState.FULL
    histories = [history for history in (state.accept, state.syn_recv) if history is not None]
    for severity in (Severity.CRITICAL, Severity.WARNING):
        if any(history.active(severity) for history in histories):
            return QueueState(severity)
    # Where the backlog is not known, a share of the queue is not either.
    known = all(each.known for each in state.accept.threshold_states.values())
    return QueueState.OK if known else None


def _sources(state: ListenerState, healthy: HealthySources) -> frozenset[str]:
    key = state.group.key
    return healthy[key.netns][key.protocol]
