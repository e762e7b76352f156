"""The document of `/api/v1/listeners`: every listener with its figures, the fullest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from exporter.api.clients import ClientLists
from exporter.api.query import ListenerQuery
from exporter.config.model import Severity
from exporter.kernel.netns.namespace import HOST
from exporter.metrics.listener_metrics import GAUGES_AND_COUNTERS, KEY_LABELS
from exporter.sampling.clock import Clock
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT
from exporter.sampling.sampler import Sampler

_PREFIX: Final = "listen_queue_"
# What one sample can tell.
_METRICS: Final = {
    metric.sample_name.removeprefix(_PREFIX): metric
    for metric in GAUGES_AND_COUNTERS
    if not metric.needs_history
}
_FULL: Final = 1.0

# By the label of a namespace and the protocol (NamespaceSampler.healthy_sources).
_HealthySources = Mapping[str, Mapping[str, frozenset[str]]]
Document = dict[str, Any]
Row = dict[str, Any]


class Listeners:
    """Reads what a sampler has found.

    The document has `time` (Unix seconds), `listeners` and `errors`. A listener has its labels, `stale_path`,
    `state` (full, critical, warning or ok; null where the queue cannot be read) and the metrics of its newest
    sample by their names; one whose source failed is null, never 0. Where the listeners themselves cannot be
    read they are not there. An error has `netns`, `source`, and what went wrong. Where clients are asked for,
    a listener has `clients` (exporter.api.clients).
    """

    def __init__(self, sampler: Sampler, clock: Clock) -> None:
        self._sampler = sampler
        self._clock = clock
        self._clients = ClientLists(sampler, clock)

    def document(self, query: ListenerQuery) -> Document:
        """Return the listeners that are asked for.

        Raises QueryError where too many of them have clients that are asked for.
        """
        sampler, now = self._sampler, self._clock.monotonic()
        with sampler.lock:
            healthy = {namespace.name: namespace.healthy_sources(now) for namespace in sampler.namespaces}
            readable = [state for state in sampler.published(now) if ACCEPT in _sources(state, healthy)]
            rows = [(state, _row(state, _sources(state, healthy))) for state in sorted(readable, key=_order)]
            errors = [
                {"netns": runner.netns, "source": runner.name, "error": str(runner.error)}
                for runner in sampler.runners
                if runner.error is not None
            ]
        chosen = {state: row for state, row in rows if query.selects(row)}
        if query.clients is not None:
            for state, clients in self._clients.read(chosen, query.clients).items():
                chosen[state]["clients"] = clients
        return {
            "time": round(self._clock.wall(), 3),
            "listeners": list(chosen.values()),
            "errors": errors,
        }


def _order(state: ListenerState) -> tuple[float, bool, str, str, str, int]:
    """Put the fullest first, and of equals the exporter's own namespace, then by the names of the others."""
    key = state.group.key
    port = int(key.port) if key.port.isdecimal() else 0
    utilization = state.group.utilization or 0.0
    return -utilization, key.netns != HOST, key.netns, key.protocol, key.address, port


def _sources(state: ListenerState, healthy: _HealthySources) -> frozenset[str]:
    key = state.group.key
    return healthy[key.netns][key.protocol]


def _row(state: ListenerState, sources: frozenset[str]) -> Row:
    names: Row = dict(zip(KEY_LABELS, state.key(), strict=True))
    names["process"] = state.owner.process if state.owner else ""
    names["stale_path"] = state.stale_path
    names["state"] = _state(state)
    return names | {
        name: metric.read(state) if metric.source in sources else None for name, metric in _METRICS.items()
    }


def _state(state: ListenerState) -> str | None:
    ratio = state.group.utilization
    if ratio is not None and ratio >= _FULL:
        return "full"
    histories = [history for history in (state.accept, state.syn_recv) if history is not None]
    for severity in (Severity.CRITICAL, Severity.WARNING):
        if any(history.active(severity) for history in histories):
            return severity.value
    return None if state.group.length is None else "ok"
