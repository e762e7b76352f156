"""Threads for lookups that may hang, such as those of a user database in the network. Nobody waits for them.

One thread makes lookups one after the other. Where one hangs, another thread takes over, and the one that
hangs ends when its lookup does.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

# A lookup that takes longer hangs. Lookups by the file broker fail sooner, after four seconds.
HANGING_SECONDS: Final = 5.0
# The most threads, those that hang included. Where all of them do, lookups wait for the end of one.
MAX_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Lookup:
    """A lookup to be made: `run` makes it, and `hangs` is called by another thread while it hangs."""

    run: Callable[[], None]
    hangs: Callable[[], None]


class LookupRunner(Protocol):
    """Makes lookups. Its methods do not wait."""

    def add(self, lookup: Lookup) -> None:
        """Make a lookup after those that were added before."""
        ...

    def replace_hung(self) -> None:
        """Let another thread take over where a lookup hangs; to be called now and again."""
        ...


class LookupThreads:
    """A LookupRunner with threads that do not keep the program from ending. None is started without need."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        hanging_seconds: float = HANGING_SECONDS,
        max_threads: int = MAX_THREADS,
    ) -> None:
        """Take a clock in monotonic seconds."""
        self._clock = clock
        self._hanging_seconds = hanging_seconds
        self._max_threads = max_threads
        self._condition = threading.Condition()
        self._lookups: deque[Lookup] = deque()
        # The thread that makes lookups, None where there is none, or it hangs.
        self._thread: _LookupThread | None = None
        self._hanging: set[_LookupThread] = set()

    def add(self, lookup: Lookup) -> None:
        """Make a lookup after those that were added before."""
        with self._condition:
            self._lookups.append(lookup)
            self._start_thread()
            self._condition.notify()

    def replace_hung(self) -> None:
        """Let another thread take over where a lookup hangs; to be called now and again."""
        if self._busy() and (lookup := self._take_over()) is not None:
            lookup.hangs()

    def _busy(self) -> bool:
        # Without the lock: this is asked all the time, and almost always there is no lookup.
        return self._thread is not None and self._thread.lookup is not None

    def _take_over(self) -> Lookup | None:
        """Start another thread where one hangs, and return what that one looks up."""
        with self._condition:
            thread = self._thread
            if thread is None or thread.lookup is None:
                return None
            if self._clock() - thread.began <= self._hanging_seconds:
                return None
            self._hanging.add(thread)
            self._thread = None
            self._start_thread()
            return thread.lookup

    def _start_thread(self) -> None:
        if self._thread is None and self._lookups and len(self._hanging) < self._max_threads:
            self._thread = _LookupThread(self._work)
            self._thread.start()

    def _work(self, thread: _LookupThread) -> None:
        while (lookup := self._next(thread)) is not None:
            lookup.run()
            self._done(thread)

    def _next(self, thread: _LookupThread) -> Lookup | None:
        """Wait for a lookup and return it; None where another thread has taken over."""
        with self._condition:
            self._condition.wait_for(lambda: bool(self._lookups) or self._thread is not thread)
            if self._thread is not thread:
                return None
            thread.began = self._clock()
            thread.lookup = self._lookups.popleft()
            return thread.lookup

    def _done(self, thread: _LookupThread) -> None:
        with self._condition:
            thread.lookup = None
            if thread in self._hanging:
                self._hanging.remove(thread)
                if self._thread is None:
                    self._thread = thread


class _LookupThread:
    """A thread, the lookup that it makes, and when it began with it."""

    def __init__(self, work: Callable[[_LookupThread], None]) -> None:
        self.lookup: Lookup | None = None
        self.began = 0.0
        self._thread = threading.Thread(target=work, args=(self,), name="lookup", daemon=True)

    def start(self) -> None:
        self._thread.start()
