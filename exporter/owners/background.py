"""Answers that are looked up in another thread, since to look them up may hang."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from exporter.kernel.errors import AccessHungError, KernelError
from exporter.owners.lookup_threads import Lookup, LookupRunner

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

# Who needs an answer waits this long for it, so that a new listener is published within a second.
SETTLED_SECONDS: Final = 0.5
# What hung is not looked up again for this long, twice as long each time that it hangs again.
_HUNG_PAUSE_SECONDS: Final = 60.0
_MAX_HUNG_PAUSE_SECONDS: Final = 3600.0
_MAX_ENTRIES: Final = 16384

log = logging.getLogger(__name__)


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
class _Entry(Generic[Answer]):
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


@dataclass(slots=True)
class _Pause:
    """Until when nothing of an origin is looked up; also not while a lookup is `stuck`."""

    seconds: float = 0.0
    until: float = 0.0
    stuck: bool = False

    def extend(self, now: float) -> None:
        self.seconds = min(max(_HUNG_PAUSE_SECONDS, self.seconds * 2), _MAX_HUNG_PAUSE_SECONDS)
        self.until = now + self.seconds


class BackgroundLookups(Generic[Key, Answer]):
    """The answers to keys, each looked up once, and again as `repetition` says.

    All methods return at once. `look_up` is called in a thread of `runner`; it raises KernelError where there
    is no answer, AccessHungError where it gave up waiting. `origin` tells of a key where its answer comes
    from: where one lookup hung, others of that origin are not made for a minute. `hung` counts lookups that
    hung, and `version` grows when an answer is new, or is waited for no longer.
    """

    def __init__(  # noqa: PLR0913  (all but three have a default)
        self,
        look_up: Callable[[Key], Answer],
        runner: LookupRunner,
        what: str,
        *,
        origin: Callable[[Key], Hashable] = lambda key: key,
        repetition: Repetition[Answer] | None = None,
        max_entries: int = _MAX_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what is looked up as a log says it (`what`), and a clock in monotonic seconds."""
        self.hung = 0
        self.version = 0
        self._look_up = look_up
        self._runner = runner
        self._what = what
        self._origin = origin
        self._repetition: Repetition[Answer] = Repetition() if repetition is None else repetition
        self._max_entries = max_entries
        self._clock = clock
        # Guards all that follows; it is never held during a lookup.
        self._lock = threading.Lock()
        self._entries: dict[Key, _Entry[Answer]] = {}
        self._deadlines: deque[tuple[float, Key]] = deque()
        # When something is looked up again; the number keeps keys from being compared.
        self._repetitions: list[tuple[float, int, Key]] = []
        self._numbers = itertools.count()
        self._pauses: dict[Hashable, _Pause] = {}

    def answer(self, key: Key) -> Answer | None:
        """Return the answer to a key as far as it is known. Who asks for the first time has it looked up."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                return entry.answer
            deadline = self._clock() + SETTLED_SECONDS
            entry = self._entries[key] = _Entry(deadline)
            self._deadlines.append((deadline, key))
            if len(self._entries) > self._max_entries:
                del self._entries[next(iter(self._entries))]
        self._ask(key)
        return entry.answer

    def settled(self, key: Key) -> bool:
        """Tell whether there is nothing to wait for: the answer is known, there is none, or it takes long."""
        self.answer(key)
        with self._lock:
            entry = self._entries.get(key)
            return entry is None or entry.looked_up or self._clock() >= entry.deadline

    def final(self, key: Key) -> bool:
        """Tell whether the answer stays as it is."""
        with self._lock:
            entry = self._entries.get(key)
            return entry is not None and entry.looked_up and not entry.asked and entry.again is None

    def retain(self, keys: Collection[Key]) -> None:
        """Forget the answers to all other keys."""
        with self._lock:
            self._entries = {key: entry for key, entry in self._entries.items() if key in keys}

    def poll(self) -> None:
        """Look after lookups that hang, answers that take too long, and those to be looked up again.

        To be called now and again; it costs nothing where there is nothing to do.
        """
        self._runner.watch()
        if self._deadlines or self._repetitions:
            for key in self._due():
                self._ask(key)

    def _due(self) -> list[Key]:
        """Return what is to be looked up again now."""
        due = []
        with self._lock:
            now = self._clock()
            while self._deadlines and self._deadlines[0][0] <= now:
                late = self._entries.get(self._deadlines.popleft()[1])
                self.version += late is not None and not late.looked_up
            while self._repetitions and self._repetitions[0][0] <= now:
                at, _, key = heapq.heappop(self._repetitions)
                entry = self._entries.get(key)
                if entry is not None and entry.again == at:
                    entry.asked, entry.again = True, None
                    due.append(key)
        return due

    def _ask(self, key: Key) -> None:
        self._runner.add(Lookup(lambda: self._run(key), lambda: self._hangs(key, stuck=True)))

    def _run(self, key: Key) -> None:
        """Look up one answer, in a thread of the runner."""
        origin = self._origin(key)
        with self._lock:
            if key not in self._entries:
                return
            pause, now = self._pauses.get(origin), self._clock()
            if pause is not None and (pause.stuck or now < pause.until):
                self._postpone(key, max(pause.until, now + _HUNG_PAUSE_SECONDS))
                return
        answer = None
        try:
            answer = self._look_up(key)
        except AccessHungError:
            self._hangs(key, stuck=False)
            return
        except KernelError as error:
            log.debug("no answer: %s", error)
        except Exception:
            # The thread has to go on with other lookups.
            log.exception("looking up %s failed", self._what)
        self._ended(key, origin, answer)

    def _ended(self, key: Key, origin: Hashable, answer: Answer | None) -> None:
        """Keep an answer, None where there is none."""
        repetition = self._repetition
        with self._lock:
            self._pauses.pop(origin, None)
            entry = self._entries.get(key)
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
                    self._repeat(key, entry, self._clock() + repetition.max_age_seconds)
            elif entry.times < repetition.times:
                self._repeat(key, entry, self._clock() + repetition.seconds)

    def _hangs(self, key: Key, *, stuck: bool) -> None:
        """Note that a lookup hangs. While it is `stuck` it may still end, with an answer."""
        with self._lock:
            now = self._clock()
            if len(self._pauses) > self._max_entries:
                self._pauses = {each: left for each, left in self._pauses.items() if left.until > now}
            pause = self._pauses.setdefault(self._origin(key), _Pause())
            pause.extend(now)
            pause.stuck = stuck
            self._postpone(key, pause.until)
            self.hung += 1
            first = self.hung == 1
        if first:
            log.warning(
                "looking up %s hangs; what needs it is published without it. This is said once; "
                "listen_queue_exporter_hung_lookups_total counts on",
                self._what,
                extra={"fields": {"key": str(key)}},
            )

    def _postpone(self, key: Key, until: float) -> None:
        entry = self._entries.get(key)
        if entry is not None:
            self.version += not entry.looked_up
            entry.looked_up, entry.asked = True, False
            self._repeat(key, entry, until)

    def _repeat(self, key: Key, entry: _Entry[Answer], at: float) -> None:
        entry.again = at
        heapq.heappush(self._repetitions, (at, next(self._numbers), key))
