"""What the page for people shows of one listener: figures, owners, thresholds, spikes and crossings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from exporter.api.clients import ClientLists
from exporter.api.listener_row import Row, healthy_sources, labels, limit, readable, row_of_page
from exporter.api.overview import WINDOW_SECONDS, highest, known_since, recorded
from exporter.api.query import QueryError
from exporter.api.spikes import spikes
from exporter.config.model import Level, Queue, Severity, Unit
from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER
from exporter.sampling.clock import Clock
from exporter.sampling.history.recording import Recording
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.recorder import Episode
from exporter.sampling.sampler import Sampler

# A span of a chart: one second, of which the highest sample counts.
SPANS: Final = 600
# Of the minute around a crossed threshold: a quarter of a second.
EPISODE_SPANS: Final = 240
EPISODE_SECONDS: Final = 60.0
_MAX_SPIKES: Final = 5
_MAX_EPISODES: Final = 20
_MAX_OWNERS: Final = 20

Document = dict[str, Any]


class _Clocks(NamedTuple):
    """The monotonic time of now, and what added to it is Unix time, in seconds."""

    now: float
    to_unix: float


class Details:
    """Reads what a sampler knows of one listener.

    The document has `time` (Unix seconds), `recorder_enabled`, `listener` (that of `/api/v1/listeners`, None
    where it is not open or cannot be read), `rule` (its name), `mptcp`, `owners` (the facts that are known of
    each), `owners_omitted`, `queues`, `episodes` and `clients` (exporter.api.clients; None where they were
    not asked for, or the listener is not open). A queue has `queue` (`accept`, `syn_recv`), `limit`,
    `thresholds` (`severity`, `level` as it was written, `ratio`), `peak_length`, `peak_ratio`, `spans` (the
    highest ratio in each second of the last ten minutes) and `spikes` (`begin` and `end` in Unix seconds, and
    `length`). An episode has `queue`, `severity`, `at`, `peak_length`, `peak_ratio` and `spans` of a quarter
    of a second, from 30 s before to 30 s after it; the newest is the first. Where two thresholds
    were crossed at once it is that of the worse.
    """

    def __init__(self, sampler: Sampler, clock: Clock) -> None:
        self._sampler = sampler
        self._clock = clock
        self._clients = ClientLists(sampler, clock)

    def document(self, wanted: Mapping[str, str], clients: int | None = None) -> Document:
        """Return what is known of the listener with these labels: netns, protocol, address, port, process.

        `clients` is how many addresses of clients, and how many networks, it has at most, None for none: to
        find them may take the kernel hundreds of milliseconds.
        """
        sampler, now = self._sampler, self._clock.monotonic()
        to_unix = self._clock.wall() - now
        with sampler.lock:
            healthy = healthy_sources(sampler, now)
            state = next((each for each in readable(sampler, healthy, now) if labels(each) == wanted), None)
            since = known_since(sampler, state, now)
            recordings = self._recordings(state, wanted, now)
            episodes = _worst(each for each in sampler.recorder.episodes() if labels(each.state) == wanted)
            listener = None if state is None else row_of_page(state, healthy)
            document = {
                "time": round(now + to_unix, 3),
                "recorder_enabled": sampler.config.recorder.enabled,
                "listener": listener,
                **_known_of(state),
                "queues": [
                    _queue(state, queue, recording, since, _Clocks(now, to_unix))
                    for queue, recording in recordings.items()
                ],
                "episodes": [_episode(each, to_unix) for each in episodes[:_MAX_EPISODES]],
                "episodes_omitted": max(0, len(episodes) - _MAX_EPISODES),
                "clients": None,
            }
        if state is not None and listener is not None and clients is not None:
            document["clients"] = self._who_waits(state, listener, clients)
        return document

    def _recordings(
        self, state: ListenerState | None, wanted: Mapping[str, str], now: float
    ) -> dict[Queue, Recording]:
        """Return what is recorded of each queue of a listener, which may be gone.

        The caller holds the lock.
        """
        recorder = self._sampler.recorder
        if state is not None:
            return {
                queue: recorder.recording(state, queue, now - WINDOW_SECONDS, now)
                for queue in Queue
                if state.history(queue) is not None
            }
        found = recorder.recordings(now, WINDOW_SECONDS, lambda each, _queue: labels(each) == wanted)
        return {queue: recording for _, queue, recording in found}

    def _who_waits(self, state: ListenerState, listener: Row, number: int) -> Document:
        try:
            return self._clients.read({state: listener}, number)[state]
        except QueryError as error:
            return {"error": str(error)}


def _known_of(state: ListenerState | None) -> Document:
    owners = () if state is None else state.owners
    found = [
        {fact.name: fact.of(owner) for fact in OWNER_FACTS if fact.of(owner)}
        for owner in owners
        if owner != UNKNOWN_OWNER
    ]
    return {
        "rule": state.rule_match.rule if state is not None and state.rule_match is not None else "",
        "mptcp": state is not None and state.mptcp,
        "owners": found[:_MAX_OWNERS],
        "owners_omitted": max(0, len(found) - _MAX_OWNERS),
    }


def _queue(
    state: ListenerState | None, queue: Queue, recording: Recording, since: float, clocks: _Clocks
) -> Document:
    history = None if state is None else state.history(queue)
    length = None if history is None else history.length
    return {
        "queue": queue.value,
        "limit": None if state is None else limit(state, queue),
        "thresholds": [] if state is None else _thresholds(state, queue),
        **recorded(recording, length, since, clocks.now, SPANS),
        "spikes": [
            {"begin": spike.begin + clocks.to_unix, "end": spike.end + clocks.to_unix, "length": spike.length}
            for spike in spikes(recording, clocks.now)[:_MAX_SPIKES]
        ],
    }


def _worst(episodes: Iterable[Episode]) -> list[Episode]:
    """Return one for each time that thresholds of a queue were crossed, the newest first."""
    found: dict[tuple[Queue, float], Episode] = {}
    for episode in episodes:
        key = episode.queue, episode.at
        if key not in found or episode.severity is Severity.CRITICAL:
            found[key] = episode
    return sorted(found.values(), key=lambda each: each.at, reverse=True)


def _episode(episode: Episode, to_unix: float) -> Document:
    changes, begin = episode.changes, episode.at - EPISODE_SECONDS / 2
    spans = changes.span_ratios(begin, EPISODE_SECONDS / EPISODE_SPANS, EPISODE_SPANS)
    return {
        "queue": episode.queue.value,
        "severity": episode.severity.value,
        "at": round(episode.at + to_unix, 3),
        "peak_length": changes.highest_length(),
        "peak_ratio": highest(spans),
        "spans": spans,
    }


def _thresholds(state: ListenerState, queue: Queue) -> list[Document]:
    history = state.history(queue)
    if history is None:
        return []
    return [
        {"severity": severity.value, "level": str(each.level), "ratio": _ratio(state, queue, each.level)}
        for severity, each in history.threshold_states.items()
        if each.level is not None
    ]


def _ratio(state: ListenerState, queue: Queue, level: Level) -> float | None:
    """Return where a threshold is as a share of the queue, None where the queue has no known size."""
    if level.unit is Unit.RATIO:
        return level.value
    most, sockets = limit(state, queue), len(state.group.members)
    if most is None:
        return None
    # Each socket admits one connection more than its backlog; syn_recv_limit has that one.
    size = most + sockets if queue is Queue.ACCEPT else most
    return level.value / size if size else None
