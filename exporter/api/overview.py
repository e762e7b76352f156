"""What the page for people shows of all listeners: what is wrong, and the worst of them with ten minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final, NamedTuple

from exporter.api import listener_errors
from exporter.api.listener_row import (
    HealthySources,
    healthy_sources,
    labels,
    readable,
    row,
    row_of_page,
    state_of,
)
from exporter.api.queue_state import RANKS, QueueState
from exporter.config.model import Queue
from exporter.endpoint import endpoint
from exporter.kernel.netns.host_label import HOST
from exporter.owners.owner import OWNER_FACTS
from exporter.sampling.clock import Clock
from exporter.sampling.history.recording import Recording
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT
from exporter.sampling.sampler import Sampler
from exporter.sampling.sources.namespaces import NamespaceDiscovery

# A span of a sparkline: five seconds, of which the highest sample counts.
SPANS: Final = 120
SPAN_SECONDS: Final = 5.0
WINDOW_SECONDS: Final = SPANS * SPAN_SECONDS
# A row takes about a kilobyte and 50 us.
_MAX_ROWS: Final = 200
_MAX_EXCEEDED: Final = 12
_EXCEEDED: Final = frozenset({QueueState.FULL, QueueState.CRITICAL, QueueState.WARNING})

Document = dict[str, Any]


class _Candidate(NamedTuple):
    """A listener with what it may be sorted by; `peak` is the highest ratio of the last ten minutes."""

    state: ListenerState
    name: QueueState | None
    ratio: float
    peak: float


_Key = tuple[Any, ...]


def _by_name(each: _Candidate) -> _Key:
    key = each.state.key()
    port = int(key.port) if key.port.isdecimal() else 0
    return key.netns != HOST, key.netns, key.protocol, key.address, port


# What listeners may be sorted by; worst is the default.
ORDERS: Final[Mapping[str, Callable[[_Candidate], _Key]]] = {
    "worst": lambda each: (RANKS[each.name], -each.ratio, -each.peak, *_by_name(each)),
    "now": lambda each: (-each.ratio, *_by_name(each)),
    "peak": lambda each: (-each.peak, *_by_name(each)),
    "name": _by_name,
    "process": lambda each: (labels(each.state)["process"], *_by_name(each)),
}


class Overview:
    """Reads what a sampler has found.

    The document has `time` (Unix seconds), `ready` (whether any sample of the exporter's own namespace is
    fresh), `interval_seconds` (between two samples of its queues), `only_own_namespace`, `recorder`
    (`enabled`, `window_seconds`, `dropped_changes`), `errors` (those of `/api/v1/listeners`), `counts`
    (listeners by their state), `exceeded` (the worst that are full or beyond a threshold), `found` (how many
    match the search) and `listeners`. A listener is that of `/api/v1/listeners`, with `has_syn_queue`,
    `peak_length` and `peak_ratio` of the last ten minutes (None where they are not known) and `spans`: the
    highest ratio in each of 120 spans of five seconds, None where it is not known. The last three are None
    where the recorder is off.
    """

    def __init__(self, sampler: Sampler, clock: Clock, max_rows: int = _MAX_ROWS) -> None:
        self._sampler = sampler
        self._clock = clock
        self._max_rows = max_rows

    def document(self, words: Sequence[str] = (), order: str = "worst") -> Document:
        """Return the listeners in which each of the words occurs, in one of ORDERS."""
        sampler, now = self._sampler, self._clock.monotonic()
        with sampler.lock:
            healthy = healthy_sources(sampler, now)
            peaks = sampler.recorder.highest_ratios(Queue.ACCEPT, now - WINDOW_SECONDS)
            candidates = [
                _Candidate(state, state_of(state), state.group.utilization or 0.0, peaks.get(state, 0.0))
                for state in readable(sampler, healthy, now)
            ]
        # Of thousands of listeners that takes as long as several samples.
        found = [each for each in candidates if _contains(each.state, words)] if words else candidates
        shown = nsmallest(self._max_rows, found, key=ORDERS[order])
        beyond = [each for each in candidates if each.name in _EXCEEDED]
        worst = nsmallest(_MAX_EXCEEDED, beyond, key=ORDERS["worst"])
        with sampler.lock:
            settings = sampler.config.recorder
            return {
                "time": round(self._clock.wall(), 3),
                "ready": any(ACCEPT in sources for sources in healthy[sampler.namespaces[0].name].values()),
                "interval_seconds": sampler.namespaces[0].interval_seconds,
                "only_own_namespace": _only_own_namespace(sampler),
                "recorder": {
                    "enabled": settings.enabled,
                    "window_seconds": settings.window_seconds,
                    "dropped_changes": sampler.recorder.dropped,
                },
                "errors": listener_errors.errors(sampler, now),
                "counts": Counter(each.name or "unknown" for each in candidates),
                "exceeded": [row(each.state, healthy) | {"state": each.name} for each in worst],
                "found": len(found),
                "listeners": [self._row(each, healthy, now) for each in shown],
            }

    def _row(self, candidate: _Candidate, healthy: HealthySources, now: float) -> Document:
        state, recorder = candidate.state, self._sampler.recorder
        # It may have changed since it was sorted.
        found = row_of_page(state, healthy) | {"state": candidate.name}
        if not self._sampler.config.recorder.enabled:
            return found | {"peak_length": None, "peak_ratio": None, "spans": None}
        recording = recorder.recording(state, Queue.ACCEPT, now - WINDOW_SECONDS, now)
        since = known_since(self._sampler, state, now)
        return found | recorded(recording, state.accept.length, since, now, SPANS)


def known_since(sampler: Sampler, state: ListenerState | None, now: float) -> float:
    """Return from when on it is recorded what was in the queues of a listener."""
    begin = now - min(sampler.config.recorder.window_seconds, sampler.recorder.seconds(now))
    return begin if state is None else max(begin, state.since)


def recorded(recording: Recording, length: int | None, since: float, now: float, count: int) -> Document:
    """Return `peak_length`, `peak_ratio` and `spans` of the last ten minutes, in so many spans.

    `length` is that of now. A queue that has no changes was empty from `since` on, or is not known at all.
    """
    begin, seconds = now - WINDOW_SECONDS, WINDOW_SECONDS / count
    if not len(recording) and (length is None or recording.has_lost):
        return {"peak_length": None, "peak_ratio": None, "spans": [None] * count}
    ratios = recording.span_ratios(begin, seconds, count)
    unseen = min(count, max(0, int((since - begin) / seconds)))
    spans = [None] * unseen + ratios[unseen:]
    return {
        "peak_length": recording.highest_length() if len(recording) else 0,
        "peak_ratio": highest(spans),
        "spans": spans,
    }


def highest(ratios: Iterable[float | None]) -> float | None:
    """Return the highest of those that are known, None where none is."""
    return max((ratio for ratio in ratios if ratio is not None), default=None)


def _contains(state: ListenerState, words: Sequence[str]) -> bool:
    names = labels(state)
    owners = {fact.of(owner) for owner in state.owners for fact in OWNER_FACTS}
    address = endpoint(names["address"], names["port"])
    text = "\n".join((names["netns"], names["protocol"], address, names["process"], *owners)).lower()
    return all(word in text for word in words)


def _only_own_namespace(sampler: Sampler) -> bool:
    discoveries = [runner for runner in sampler.runners if runner.name == NamespaceDiscovery.NAME]
    return all(runner.method == "own" for runner in discoveries)
