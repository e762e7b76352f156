"""The document of `/api/v1/history`: the changes of queues, and the minutes around crossed thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from exporter.api.listener_row import labels, limit
from exporter.api.query import ListenerQuery, QueryError
from exporter.config.model import Queue
from exporter.sampling.clock import Clock
from exporter.sampling.history.recording import Recording
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.sampler import Sampler

# The most in one document, which are some 4 MB; the fullest queues come first.
_MAX_CHANGES: Final = 100_000

Document = dict[str, Any]


class History:
    """Reads what the recorder of a sampler has kept.

    The document has `time` (Unix seconds), `since_seconds` (how far back it reaches), `matching` (how many
    listeners are asked for that are open), `listeners` and `episodes`, the newest first.
    Each of these has the labels of a listener, its queue (`accept` or `syn_recv`), its `limit`, `peak_length`
    and `peak_ratio`, and `changes`: [Unix seconds, connections, ratio] from one change to the next, with null
    for what is not known. `omitted` counts those whose changes did not fit into the document, and
    `dropped_changes` the changes for which there was no memory.
    """

    def __init__(self, sampler: Sampler, clock: Clock, max_changes: int = _MAX_CHANGES) -> None:
        self._sampler = sampler
        self._clock = clock
        self._max_changes = max_changes

    def document(self, query: ListenerQuery) -> Document:
        """Return what is asked for; where the request does not say how far back, all that there is.

        Raises QueryError where clients are asked for, of whom nothing is kept.
        """
        if query.clients is not None:
            raise QueryError("clients: only those of now are known; ask /api/v1/listeners for them")
        sampler, now = self._sampler, self._clock.monotonic()
        to_unix = self._clock.wall() - now
        with sampler.lock:
            settings = sampler.config.recorder
            wanted = math.inf if query.seconds is None else query.seconds
            seconds = min(wanted, settings.window_seconds, sampler.recorder.seconds(now))
            matching = sum(query.selects(labels(state)) for state in sampler.published(now))
            recordings = sampler.recorder.recordings(
                now,
                seconds,
                lambda state, _queue: query.selects(labels(state)),
            )
            episodes = sampler.recorder.episodes()
            dropped = sampler.recorder.dropped
            found = [(_names(state, queue), changes) for state, queue, changes in recordings]
            crossed = [
                (
                    {
                        **_names(each.state, each.queue),
                        "severity": each.severity.value,
                        "at": _time(each.at, to_unix),
                    },
                    each.changes,
                )
                for each in reversed(episodes)
                if now - each.at <= wanted and query.selects(labels(each.state))
            ]
        found.sort(key=lambda each: each[1].highest_ratio(), reverse=True)
        listeners, left, omitted = _entries(found, self._max_changes, to_unix)
        minutes, _, more = _entries(crossed, left, to_unix)
        return {
            "time": round(now + to_unix, 3),
            "since_seconds": round(seconds, 3),
            "matching": matching,
            "enabled": settings.enabled,
            "listeners": listeners,
            "episodes": minutes,
            "omitted": omitted + more,
            "dropped_changes": dropped,
        }


def _entries(
    found: list[tuple[Document, Recording]], allowed: int, to_unix: float
) -> tuple[list[Document], int, int]:
    """Return entries with their changes, how many more changes are allowed, and how many did not fit."""
    entries, omitted = [], 0
    for names, recording in found:
        if len(recording) > allowed:
            omitted += 1
            continue
        allowed -= len(recording)
        changes = list(_changes(recording, to_unix))
        peaks = {
            "peak_length": max((length for _, length, _ in changes if length is not None), default=None),
            "peak_ratio": max((ratio for _, _, ratio in changes if ratio is not None), default=None),
        }
        entries.append({**names, **peaks, "changes": changes})
    return entries, allowed, omitted


def _changes(recording: Recording, to_unix: float) -> Iterator[list[float | None]]:
    for change in recording:
        ratio = None if change.ratio is None else round(change.ratio, 4)
        yield [_time(change.at, to_unix), change.length, ratio]


def _time(at: float, to_unix: float) -> float:
    return round(at + to_unix, 3)


def _names(state: ListenerState, queue: Queue) -> Document:
    return {**labels(state), "queue": queue.value, "limit": limit(state, queue)}
