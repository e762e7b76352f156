"""What samples saw of every queue in the last minutes, and around each crossing of a threshold for a day."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from exporter.config.model import Config, Queue, Severity
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.history.recording import CHANGE_BYTES, Recording
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
# What an object with its arrays takes beside its changes.
_OBJECT_BYTES: Final = 400


_RecordingKey = tuple[ListenerState, Queue]


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
        self._recordings: dict[_RecordingKey, Recording] = {}
        self._crossings: deque[_Crossing] = deque()
        self._crossed_at: dict[tuple[ListenerState, Queue, Severity], float] = {}
        self._episodes: deque[Episode] = deque()
        self._forget_at = 0.0
        self._settings = config.recorder

    def configure(self, config: Config) -> None:
        """Take another configuration; what it has no place for is forgotten with the next look."""
        self._settings = config.recorder
        self._forget_at = 0.0
        if not self._settings.enabled:
            self._recordings.clear()
            self._crossings.clear()
            self._crossed_at.clear()
            self._episodes.clear()

    def note(self, state: ListenerState, queue: Queue) -> None:
        """Take what the newest sample of this queue has changed."""
        if not self._settings.enabled:
            return
        history = state.accept if queue is Queue.ACCEPT else state.syn_recv
        if history is None:
            return
        recording = self._recordings.get((state, queue))
        if recording is None:
            if not history.length:
                return
            recording = self._recordings[state, queue] = Recording()
            if history.sampled_before:
                recording.add(history.sampled_before, 0, 0.0)
        if recording.add(history.sampled, history.length, history.ratio):
            self._note_crossings(state, queue, history)

    def forget_old(self, now: float) -> None:
        """Forget what is too old or too much; to be called often, it looks every few seconds."""
        if now < self._forget_at:
            return
        self._forget_at = now + _FORGET_SECONDS
        self._end_episodes(now)
        begin = now - self._settings.window_seconds
        for key, recording in list(self._recordings.items()):
            recording.forget_before(begin)
            if recording.at_rest() and recording.newest() < begin:
                del self._recordings[key]
        self._fit()

    def recordings(self, now: float, seconds: float) -> list[tuple[ListenerState, Queue, Recording]]:
        """Return copies of the changes of the last `seconds`."""
        found = (
            (state, queue, recording.between(now - seconds, now))
            for (state, queue), recording in self._recordings.items()
        )
        return [each for each in found if len(each[2])]

    def episodes(self) -> list[Episode]:
        """Return the crossings of the last day whose minute is over, the oldest first."""
        return list(self._episodes)

    def _note_crossings(self, state: ListenerState, queue: Queue, history: QueueHistory) -> None:
        for severity, threshold in history.threshold_states.items():
            if not threshold.crossed_at(history.sampled):
                continue
            last = self._crossed_at.get((state, queue, severity))
            # Until then the last one has it.
            if last is None or history.sampled - last > _AROUND_SECONDS:
                self._crossed_at[state, queue, severity] = history.sampled
                self._crossings.append(_Crossing(state, queue, severity, history.sampled))

    def _end_episodes(self, now: float) -> None:
        while self._crossings and now - self._crossings[0].at > _AROUND_SECONDS:
            crossing = self._crossings.popleft()
            recording = self._recordings.get((crossing.state, crossing.queue))
            if recording is not None:
                changes = recording.between(crossing.at - _AROUND_SECONDS, crossing.at + _AROUND_SECONDS)
                self._episodes.append(
                    Episode(crossing.state, crossing.queue, crossing.severity, crossing.at, changes)
                )
        while self._episodes and now - self._episodes[0].at > _EPISODE_SECONDS:
            self._episodes.popleft()
        recent = now - _AROUND_SECONDS
        self._crossed_at = {key: at for key, at in self._crossed_at.items() if at >= recent}

    def _fit(self) -> None:
        allowed = self._settings.max_mebibytes * _MEBIBYTE
        of_episodes = _bytes(episode.changes for episode in self._episodes)
        while self._episodes and of_episodes > allowed * _EPISODES_PART:
            oldest = self._episodes.popleft()
            of_episodes -= _bytes([oldest.changes])
            self.dropped += len(oldest.changes)
        self._fit_recordings(allowed - of_episodes)

    def _fit_recordings(self, allowed: float) -> None:
        used: Counter[str] = Counter()
        for (state, _), recording in self._recordings.items():
            used[state.group.key.netns] += _bytes([recording])
        if used.total() <= allowed:
            return
        keys: dict[str, deque[_RecordingKey]] = {netns: deque() for netns in used}
        for key in sorted(self._recordings, key=self._importance):
            keys[key[0].group.key.netns].append(key)
        while used.total() > allowed * _KEPT_PART:
            ((netns, _),) = used.most_common(1)
            key = keys[netns].popleft()
            used[netns] -= self._halve(key)
            if key in self._recordings:
                keys[netns].append(key)

    def _importance(self, key: _RecordingKey) -> tuple[float, float]:
        recording = self._recordings[key]
        return recording.highest_ratio(), recording.newest()

    def _halve(self, key: _RecordingKey) -> int:
        """Forget the older half of a recording, and return how many bytes that frees."""
        recording = self._recordings[key]
        before, number = _bytes([recording]), (len(recording) + 1) // 2
        self.dropped += number
        recording.forget_oldest(number)
        if len(recording):
            return before - _bytes([recording])
        del self._recordings[key]
        return before


def _bytes(recordings: Iterable[Recording]) -> int:
    return sum(_OBJECT_BYTES + len(recording) * CHANGE_BYTES for recording in recordings)
