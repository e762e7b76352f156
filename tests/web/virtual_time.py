"""An event loop whose clock does not depend on the machine.

Time is what the server in the loop would have slept, and the processor time that its work is said to take: a
fixed cost for each thing that it does (`tests/web/priced_socket.py` has those of its sockets). How long it
really takes, on a busy machine or while coverage is measured, changes nothing. Clients act between two steps
of the loop, and take no time. So a minute in which the server sleeps is over at once, and one run is as the
other.

The sockets are real. Over loopback the kernel delivers what is sent before send() returns, so the order in
which sockets become readable is the same each time too. Only where the machine has so much to receive that
the kernel leaves the rest to its thread ksoftirqd does something arrive later. It is waited for each half a
second, so no outcome may depend on less.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Protocol, TypeVar, TypeVarTuple

Arguments = TypeVarTuple("Arguments")
Value = TypeVar("Value")

# What a step of the loop takes, what it takes more after sleep, and each callback.
STEP_SECONDS = 20e-6
WAKE_SECONDS = 150e-6
CALLBACK_SECONDS = 10e-6
_HOUR_SECONDS = 3600.0
_MIN_SLEEP_SECONDS = 1e-6
# Real time in which packets under way arrive, and how much virtual time is skipped without it.
_DELIVERY_SECONDS = 2e-4
_MAX_SKIPPED_SECONDS = 0.5


class Clients(Protocol):
    """What happens outside of the server."""

    def act(self, now: float) -> float:
        """Do what is due at this time, and return when there is something to do again."""
        ...


class VirtualClock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._slept = 0.0
        self._worked = 0.0

    def cpu(self) -> float:
        """The processor time of the server so far."""
        return self._worked

    def now(self) -> float:
        """The time that has passed."""
        return self._slept + self._worked

    def work(self, seconds: float) -> None:
        """Let the server take processor time."""
        self._worked += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._slept += seconds


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with this clock, and clients of what runs in it."""

    def __init__(self, clock: VirtualClock, clients: Clients) -> None:
        super().__init__(_Selector(clock, clients))
        self.clock = clock

    def time(self) -> float:
        """The time of the clock."""
        return self.clock.now()

    def call_soon(
        self,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run it in the next step, and count what that takes."""
        self.clock.work(CALLBACK_SECONDS)
        return super().call_soon(callback, *args, context=context)


class _Nobody:
    """No clients."""

    def act(self, now: float) -> float:
        return now + _HOUR_SECONDS


def in_virtual_time(main: Coroutine[Any, Any, Value]) -> Value:
    """Run it in a loop whose clock is its own; other threads have no part in that."""
    clock = VirtualClock()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, _Nobody())) as runner:
        return runner.run(main)


def running_clock() -> VirtualClock:
    """The clock of the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.clock


class _Selector(selectors.EpollSelector):
    """Waits in virtual time."""

    def __init__(self, clock: VirtualClock, clients: Clients) -> None:
        super().__init__()
        self._clock = clock
        self._clients = clients
        # Since it was waited for what is under way.
        self._skipped_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        has_slept = self._sleep(_HOUR_SECONDS if timeout is None else timeout)
        ready = super().select(0)
        self._clock.work(STEP_SECONDS + CALLBACK_SECONDS * len(ready) + WAKE_SECONDS * has_slept)
        return ready

    def _sleep(self, seconds: float) -> bool:
        """Sleep until a timer or a socket is ready, and return whether any time has passed."""
        now = begun = self._clock.now()
        until = now + seconds
        due = self._clients.act(now)
        while now < until and not super().select(0):
            pause = max(min(until, due) - now, _MIN_SLEEP_SECONDS)
            if self._skipped_seconds + pause > _MAX_SKIPPED_SECONDS and self._skipped_seconds:
                self._skipped_seconds = 0.0
                time.sleep(_DELIVERY_SECONDS)
            else:
                self._skipped_seconds += pause
                self._clock.sleep(pause)
            now = self._clock.now()
            due = self._clients.act(now)
        return now > begun
