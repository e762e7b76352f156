"""What samples saw of every queue in the last minutes, and around each crossing of a threshold for a day."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from exporter.config.model import Config, Queue, Severity
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.history.recording import CHANGE_BYTES, Recording
from exporter.sampling.known_changes import has_connections, known_changes
from exporter.sampling.listener_state import ListenerState

_MEBIBYTE: Final = 1 << 20
# How often what is too old is forgotten.
_FORGET_SECONDS: Final = 5.0
# What is kept of a crossing, before it and after it.
_AROUND_SECONDS: Final = 30.0
_EPISODE_SECONDS: Final = 24 * 3600.0
# The part of the memory that episodes may take.
_EPISODES_PART: Final = 0.25
# Where there is too much, so much is left, so that it is not sorted out again at once.
_KEPT_PART: Final = 0.9
# What an object with its arrays takes beside its changes, and what a listener takes that has closed.
_OBJECT_BYTES: Final = 400
_LISTENER_BYTES: Final = 4096


class _Recorded(NamedTuple):
    state: ListenerState
    queue: Queue
    recording: Recording


@dataclass(frozen=True, slots=True)
class Episode:
    """A queue that crossed a threshold: the changes of the minute around that, `at` in monotonic seconds."""

    state: ListenerState
    queue: Queue
    severity: Severity
    at: float
    changes: Recording


@dataclass(frozen=True, slots=True)
class _Crossing:
    """A crossing whose minute is not over yet."""

    state: ListenerState
    queue: Queue
    severity: Severity
    at: float


class Recorder:
    """Takes changes from the sampling thread; readers hold its lock.

    A queue is recorded from the first connection in it on. Where memory is short, the network namespace that
    takes most of it loses changes: the older half of those queues first that were least full, and of equally
    full ones those that changed longest ago. `dropped` counts the changes that were lost so.
    """

    def __init__(self, config: Config) -> None:
        self.dropped = 0
        self._recordings: dict[Queue, dict[ListenerState, Recording]] = {queue: {} for queue in Queue}
        # When the last recording of a queue was lost, where there was no memory for any of it.
        self._lost: dict[tuple[ListenerState, Queue], float] = {}
        self._crossings: deque[_Crossing] = deque()
        self._crossed_at: dict[tuple[ListenerState, Queue, Severity], float] = {}
        self._episodes: deque[Episode] = deque()
        self._forget_at = 0.0
        # From when on nothing was forgotten for its age.
        self._began: float | None = None
        self._settings = config.recorder

    def configure(self, config: Config) -> None:
        """Take another configuration; what it has no place for is forgotten with the next look."""
        self._settings = config.recorder
        self._forget_at = 0.0
        if not self._settings.enabled:
            self._began = None
            for recordings in self._recordings.values():
                recordings.clear()
            self._lost.clear()
            self._crossings.clear()
            self._crossed_at.clear()
            self._episodes.clear()

    def seconds(self, now: float) -> float:
        """Return how far back changes are there."""
        return 0.0 if self._began is None else now - self._began

    def note_accept(self, state: ListenerState) -> None:
        """Take what the newest sample has changed in the accept queue of a listener."""
        if self._settings.enabled:
            self._note(state, Queue.ACCEPT, state.accept)

    def note_syn_recv(self, state: ListenerState) -> None:
        """Take what the newest sample has changed in the SYN queue of a listener that has one."""
        if self._settings.enabled and state.syn_recv is not None:
            self._note(state, Queue.SYN_RECV, state.syn_recv)

    def forget_old(self, now: float) -> None:
        """Forget what is too old or too much; to be called often, it looks every few seconds."""
        if self._began is None and self._settings.enabled:
            self._began = now
        if now < self._forget_at:
            return
        self._forget_at = now + _FORGET_SECONDS
        self._end_episodes(now)
        begin = now - self._settings.window_seconds
        if self._began is not None:
            self._began = max(self._began, begin)
        for recordings in self._recordings.values():
            for state, recording in list(recordings.items()):
                recording.forget_before(begin)
                if recording.at_rest() and recording.newest() < begin:
                    del recordings[state]
        self._lost = {
            (state, queue): at
            for (state, queue), at in self._lost.items()
            if state.group.members and (at >= begin or has_connections(state, queue))
        }
        self._fit(now)

    def recordings(
        self,
        now: float,
        seconds: float,
        selects: Callable[[ListenerState, Queue], bool] = lambda _state, _queue: True,
    ) -> list[tuple[ListenerState, Queue, Recording]]:
        """Return copies of the changes of the last `seconds`, of the queues that are asked for."""
        found = (
            (state, queue, known_changes(state, queue, recording, now - seconds, now))
            for queue, recordings in self._recordings.items()
            for state, recording in recordings.items()
            if selects(state, queue)
        )
        return [each for each in found if len(each[2])]

    def highest_ratios(self, queue: Queue, begin: float) -> dict[ListenerState, float]:
        """Return how full each queue of a kind was at most from `begin` on, where that is recorded."""
        return {state: recording.highest_ratio(begin) for state, recording in self._recordings[queue].items()}

    def recording(self, state: ListenerState, queue: Queue, begin: float, now: float) -> Recording:
        """Return a copy of the changes of one queue from `begin` on; it has none where nobody has waited."""
        history = state.history(queue)
        is_known = history is not None and history.length is not None and (state, queue) not in self._lost
        without = Recording(has_lost=not is_known)
        recording = self._recordings[queue].get(state, without)
        return known_changes(state, queue, recording, begin, now)

    def episodes(self) -> list[Episode]:
        """Return the crossings of the last day whose minute is over, the oldest first."""
        return list(self._episodes)

    def _note(self, state: ListenerState, queue: Queue, history: QueueHistory) -> None:
        recordings = self._recordings[queue]
        recording = recordings.get(state)
        if recording is None:
            if not history.length:
                return
            began = max(state.since, math.inf if self._began is None else self._began)
            was_empty = began <= history.sampled_before and (state, queue) not in self._lost
            recording = recordings[state] = Recording(has_lost=not was_empty)
            if was_empty:
                recording.add(history.sampled_before, 0, 0.0)
        if recording.add(history.sampled, history.length, history.ratio):
            for severity, threshold in history.threshold_states.items():
                if threshold.exceeded and threshold.crossed_at(history.sampled):
                    self._note_crossing(_Crossing(state, queue, severity, history.sampled))

    def _note_crossing(self, crossing: _Crossing) -> None:
        key = (crossing.state, crossing.queue, crossing.severity)
        last = self._crossed_at.get(key)
        # Until then the last one has it.
        if last is None or crossing.at - last > _AROUND_SECONDS:
            self._crossed_at[key] = crossing.at
            self._crossings.append(crossing)

    def _end_episodes(self, now: float) -> None:
        while self._crossings and now - self._crossings[0].at > _AROUND_SECONDS:
            crossing = self._crossings.popleft()
            recording = self._recordings[crossing.queue].get(crossing.state)
            if recording is not None:
                state, queue = crossing.state, crossing.queue
                begin, end = crossing.at - _AROUND_SECONDS, crossing.at + _AROUND_SECONDS
                changes = known_changes(state, queue, recording, begin, end)
                self._episodes.append(Episode(state, queue, crossing.severity, crossing.at, changes))
        while self._episodes and now - self._episodes[0].at > _EPISODE_SECONDS:
            self._episodes.popleft()
        recent = now - _AROUND_SECONDS
        self._crossed_at = {key: at for key, at in self._crossed_at.items() if at >= recent}

    def _fit(self, now: float) -> None:
        allowed = self._settings.max_mebibytes * _MEBIBYTE
        closed = Counter(episode.state for episode in self._episodes if not episode.state.group.members)
        of_episodes = _bytes(episode.changes for episode in self._episodes) + _LISTENER_BYTES * len(closed)
        while self._episodes and of_episodes > allowed * _EPISODES_PART:
            oldest = self._episodes.popleft()
            self.dropped += len(oldest.changes)
            of_episodes -= _bytes([oldest.changes])
            closed[oldest.state] -= 1
            of_episodes -= _LISTENER_BYTES if closed[oldest.state] == 0 else 0
        self._fit_recordings(allowed - of_episodes, now)

    def _fit_recordings(self, allowed: float, now: float) -> None:
        used: Counter[str] = Counter()
        by_namespace: dict[str, list[_Recorded]] = {}
        for queue, recordings in self._recordings.items():
            for state, recording in recordings.items():
                netns = state.group.key.netns
                used[netns] += _bytes([recording])
                by_namespace.setdefault(netns, []).append(_Recorded(state, queue, recording))
        if used.total() <= allowed:
            return
        ordered = {netns: deque(sorted(those, key=_importance)) for netns, those in by_namespace.items()}
        while used.total() > allowed * _KEPT_PART:
            ((netns, _),) = used.most_common(1)
            least = ordered[netns].popleft()
            used[netns] -= self._halve(least, now)
            if len(least.recording):
                ordered[netns].append(least)

    def _halve(self, recorded: _Recorded, now: float) -> int:
        """Forget the older half of a recording, and return how many bytes that frees."""
        recording = recorded.recording
        before, number = _bytes([recording]), (len(recording) + 1) // 2
        self.dropped += number
        recording.lose_oldest(number)
        if len(recording):
            return before - _bytes([recording])
        del self._recordings[recorded.queue][recorded.state]
        if recorded.state.group.members:
            self._lost[recorded.state, recorded.queue] = now
        return before


def _importance(recorded: _Recorded) -> tuple[float, float]:
    return recorded.recording.highest_ratio(), recorded.recording.newest()


def _bytes(recordings: Iterable[Recording]) -> int:
    return sum(_OBJECT_BYTES + len(recording) * CHANGE_BYTES for recording in recordings)
