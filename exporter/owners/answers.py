"""Answers that are known, until when those who need one wait for it, and when it is looked up again."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

# Who needs an answer waits this long for it, so that a new listener is published within a second.
SETTLED_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Repetition(Generic[Answer]):
    """When something is looked up again.

    After a lookup that failed, or whose answer is not `complete`, it is after `seconds`, and `times` times in
    all at most. A complete answer is looked up again after `max_age_seconds`, where that is set.
    """

    seconds: float = 60.0
    times: int = 4
    max_age_seconds: float | None = None
    complete: Callable[[Answer], bool] = lambda _answer: True


@dataclass(slots=True)
class Entry(Generic[Answer]):
    """An answer, and until when who needs it waits.

    `looked_up` tells that a lookup has ended or hangs, `asked` that one is to be made or under way. `again`
    is when the next is to be made, None for never.
    """

    deadline: float
    answer: Answer | None = None
    asked: bool = True
    looked_up: bool = False
    again: float | None = None
    times: int = 0


class Answers(Generic[Key, Answer]):
    """The answers to keys, for one thread at a time. Times are in monotonic seconds.

    `version` grows when an answer is new, or is waited for no longer.
    """

    def __init__(self, repetition: Repetition[Answer], max_entries: int) -> None:
        """Know of none. Beyond `max_entries` the oldest is forgotten."""
        self.version = 0
        self._repetition = repetition
        self._max_entries = max_entries
        self._entries: dict[Key, Entry[Answer]] = {}
        self._deadlines: deque[tuple[float, Key]] = deque()
        # When something is looked up again; the number keeps keys from being compared.
        self._repetitions: list[tuple[float, int, Key]] = []
        self._numbers = itertools.count()

    def __contains__(self, key: Key) -> bool:
        """Tell whether anything is known of a key, be it that it is to be looked up."""
        return key in self._entries

    def get(self, key: Key) -> Entry[Answer] | None:
        """Return what is known of a key."""
        return self._entries.get(key)

    def add(self, key: Key, now: float) -> None:
        """Note that a key is to be looked up."""
        deadline = now + SETTLED_SECONDS
        self._entries[key] = Entry(deadline)
        self._deadlines.append((deadline, key))
        if len(self._entries) > self._max_entries:
            del self._entries[next(iter(self._entries))]

    def retain(self, keys: Collection[Key]) -> None:
        """Forget all other keys."""
        self._entries = {key: entry for key, entry in self._entries.items() if key in keys}

    def timed(self) -> bool:
        """Tell whether there is anything to wait for, or to look up again."""
        return bool(self._deadlines or self._repetitions)

    def due(self, now: float) -> list[Key]:
        """Return what is to be looked up again now."""
        due = []
        while self._deadlines and self._deadlines[0][0] <= now:
            late = self._entries.get(self._deadlines.popleft()[1])
            self.version += late is not None and not late.looked_up
        while self._repetitions and self._repetitions[0][0] <= now:
            at, _, key = heapq.heappop(self._repetitions)
            if self._is_repeated(key, at):
                entry = self._entries[key]
                entry.asked, entry.again = True, None
                due.append(key)
        return due

    def keep(self, key: Key, answer: Answer | None, now: float) -> None:
        """Take the end of a lookup: an answer, None where there is none."""
        repetition, entry = self._repetition, self._entries.get(key)
        if entry is None:
            return
        if answer is not None and answer != entry.answer:
            self.version += 1
            entry.answer = answer
        else:
            self.version += not entry.looked_up
        entry.looked_up, entry.asked, entry.again = True, False, None
        entry.times += 1
        if answer is not None and repetition.complete(answer):
            if repetition.max_age_seconds is not None:
                self._repeat(key, entry, now + repetition.max_age_seconds)
        elif entry.times < repetition.times:
            self._repeat(key, entry, now + repetition.seconds)

    def postpone(self, key: Key, until: float) -> None:
        """Note that a lookup hangs or is not made, and is to be made at this time."""
        entry = self._entries.get(key)
        if entry is not None:
            self.version += not entry.looked_up
            entry.looked_up, entry.asked = True, False
            self._repeat(key, entry, until)

    def _repeat(self, key: Key, entry: Entry[Answer], at: float) -> None:
        entry.again = at
        heapq.heappush(self._repetitions, (at, next(self._numbers), key))
        # Those of keys that were forgotten would stay until their time, for an hour.
        if len(self._repetitions) > 2 * len(self._entries):
            self._repetitions = [each for each in self._repetitions if self._is_repeated(each[2], each[0])]
            heapq.heapify(self._repetitions)

    def _is_repeated(self, key: Key, at: float) -> bool:
        entry = self._entries.get(key)
        return entry is not None and entry.again == at
