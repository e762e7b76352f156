"""Answers that are looked up in another thread, since to look them up may hang."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from exporter.kernel.errors import AccessHungError, KernelError
from exporter.owners.answers import Answers, Repetition
from exporter.owners.hung_origins import HungOrigins
from exporter.owners.lookup_batch import BatchLookup, single
from exporter.owners.lookup_threads import Lookup, LookupRunner

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

_MAX_ENTRIES: Final = 16384

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Batch(Generic[Key]):
    """The keys that one thread looks up; where it is stuck, only that by which it is."""

    keys: list[Key] = field(default_factory=list)


class BackgroundLookups(Generic[Key, Answer]):
    """The answers to keys, each looked up once, and again as `repetition` says.

    All methods return at once. `look_up` is called in a thread of `runner`; it raises KernelError where there
    is no answer, AccessHungError where it gave up waiting. `origin` tells of a key where its answer comes
    from: where one lookup hung, others of that origin are not made for a minute, and then one by one until
    one has ended. In a batch those of one origin follow one another. `hung` counts lookups that hung, and
    `version` grows when an answer is new, or is waited for no longer.
    """

    def __init__(  # noqa: PLR0913  (all but three have a default)
        self,
        look_up: Callable[[Key], Answer] | BatchLookup[Key, Answer],
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
        self._batches = look_up if isinstance(look_up, BatchLookup) else single(look_up)
        self._runner = runner
        self._what = what
        self._origin = origin
        self._clock = clock
        # Guards all that follows; it is never held during a lookup.
        self._lock = threading.Lock()
        self._answers: Answers[Key, Answer] = Answers(repetition or Repetition(), max_entries)
        self._hung_origins = HungOrigins(max_entries)
        # What is to be looked up, and whether a thread will begin with it.
        self._asked: deque[Key] = deque()
        self._waiting = False

    @property
    def version(self) -> int:
        """A number that grows when an answer is new, or is waited for no longer."""
        return self._answers.version

    def answer(self, key: Key) -> Answer | None:
        """Return the answer to a key as far as it is known. Who asks for the first time has it looked up."""
        with self._lock:
            entry = self._answers.get(key)
            if entry is not None:
                return entry.answer
            self._answers.add(key, self._clock())
        self._ask((key,))
        with self._lock:
            entry = self._answers.get(key)
            return None if entry is None else entry.answer

    def settled(self, key: Key) -> bool:
        """Tell whether there is nothing to wait for: the answer is known, there is none, or it takes long."""
        if key not in self._answers:
            self.answer(key)
        with self._lock:
            entry = self._answers.get(key)
            return entry is None or entry.looked_up or self._clock() >= entry.deadline

    def final(self, key: Key) -> bool:
        """Tell whether the answer stays as it is."""
        with self._lock:
            entry = self._answers.get(key)
            return entry is not None and entry.looked_up and not entry.asked and entry.again is None

    def retain(self, keys: Collection[Key]) -> None:
        """Forget the answers to all other keys."""
        with self._lock:
            self._answers.retain(keys)

    def poll(self) -> None:
        """Look after lookups that hang, answers that take too long, and those to be looked up again.

        To be called now and again; it costs nothing where there is nothing to do.
        """
        self._runner.replace_hung()
        if self._answers.timed():
            with self._lock:
                due = self._answers.due(self._clock())
            self._ask(due)

    def _ask(self, keys: Iterable[Key]) -> None:
        with self._lock:
            self._asked.extend(keys)
        self._go_on()

    def _go_on(self) -> None:
        """Have a thread begin with what is to be looked up, where none will yet."""
        with self._lock:
            if self._waiting or not self._asked:
                return
            self._waiting = True
        batch = _Batch[Key]()
        self._runner.add(Lookup(lambda: self._run(batch), lambda: self._is_stuck(batch)))

    def _run(self, batch: _Batch[Key]) -> None:
        """Look up some answers, in a thread of the runner."""
        with self._lock:
            self._waiting = False
            keys = self._next_keys()
            batch.keys = keys
        if keys:
            answers: Sequence[Answer | KernelError | None] = ()
            try:
                answers = self._batches.look_up(keys)
            except Exception:
                # The thread has to go on with other lookups.
                log.exception("looking up %s failed", self._what)
            with self._lock:
                self._end(batch, answers or [None] * len(keys))
        self._go_on()

    def _next_keys(self) -> list[Key]:
        """Return keys to be looked up together, those of one origin one after the other."""
        now = self._clock()
        by_origin: dict[Hashable, list[Key]] = {}
        for key in [self._asked.popleft() for _ in range(min(self._batches.size, len(self._asked)))]:
            if key not in self._answers:
                continue
            origin = self._origin(key)
            until = self._hung_origins.paused_until(origin, now)
            if until is None:
                by_origin.setdefault(origin, []).append(key)
            else:
                self._answers.postpone(key, until)
        keys = [key for of_origin in by_origin.values() for key in of_origin]
        suspect = next((key for key in keys if self._origin(key) in self._hung_origins), None)
        if suspect is None:
            return keys
        # Where it hangs again, no other answer is lost by that.
        self._asked.extendleft(reversed([key for key in keys if key != suspect]))
        return [suspect]

    def _is_stuck(self, batch: _Batch[Key]) -> None:
        """Note that a thread is stuck with the first of its keys; others take the rest. It may still end."""
        with self._lock:
            if not batch.keys:
                return
            key, *others = batch.keys
            batch.keys = [key]
            self._asked.extendleft(reversed(others))
            self._hang(key, stuck=True)
        self._go_on()

    def _end(self, batch: _Batch[Key], answers: Sequence[Answer | KernelError | None]) -> None:
        """Keep answers, None for a key without one; the keys that were not answered are next."""
        keys, batch.keys = batch.keys, []
        self._asked.extendleft(reversed(keys[len(answers) :]))
        hung: dict[Hashable, float] = {}
        for key, answer in zip(keys, answers, strict=False):
            origin = self._origin(key)
            if not isinstance(answer, AccessHungError):
                self._hung_origins.discard(origin)
                self._keep(key, answer)
            elif origin in hung:
                self._answers.postpone(key, hung[origin])
            else:
                hung[origin] = self._hang(key, stuck=False)

    def _keep(self, key: Key, answer: Answer | KernelError | None) -> None:
        if isinstance(answer, KernelError):
            log.debug("no answer: %s", answer)
            answer = None
        self._answers.keep(key, answer, self._clock())

    def _hang(self, key: Key, *, stuck: bool) -> float:
        """Note that a lookup hangs; return when the next is made. While it is `stuck` it may still end."""
        until = self._hung_origins.add(self._origin(key), self._clock(), stuck=stuck)
        self._answers.postpone(key, until)
        self.hung += 1
        if self.hung == 1:
            log.warning(
                "looking up %s hangs; what needs it is published without it. This is said once; "
                "listen_queue_exporter_hung_lookups_total counts on",
                self._what,
                extra={"fields": {"key": str(key)}},
            )
        return until
