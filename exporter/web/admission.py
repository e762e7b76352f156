"""Which client is served next while clients want more processor time than they may use."""

from __future__ import annotations

import asyncio
from itertools import cycle
from typing import Final, Protocol

from exporter.web.cpu_allowance import CpuAllowance

# A client that has asked nothing for so long, as between two scrapes, waits for nobody who asks more often.
_IDLE_SECONDS: Final = 0.9
# The part of what clients may use that is for those, whatever others have used, and what a request takes.
_IDLE_SHARE: Final = 0.5
_IDLE_REQUEST_SECONDS: Final = 0.001
# Of so many addresses it is known when a client of theirs had its last response.
_MAX_ADDRESSES: Final = 4096
# Where more wait, none is told that it waits in vain: in a flood whoever is told comes again at once.
_FEW_WAITING: Final = 64


class Candidate(Protocol):
    """A client that waits to be served.

    `peer` tells where it comes from, and `since` when it began to wait, in the time of the event loop.
    """

    @property
    def peer(self) -> str: ...  # noqa: D102  (the class says it)

    @property
    def since(self) -> float: ...  # noqa: D102  (the class says it)

    def serve(self) -> None:
        """Read what it has sent, and respond to a request that is complete."""
        ...

    def refuse(self) -> None:
        """Tell it to come again later."""
        ...


class UnopenedCandidate(Candidate, Protocol):
    """One that was accepted, and is no more than a socket. `serve` may have it wait again."""

    def drop(self) -> None:
        """Close it without a word."""
        ...


class Admission:
    """Clients that wait. Used in one event loop.

    One that has had a response before, the newest, and one by address are served alternately. Of the first
    the one is next that had asked nothing for the longest time, which is a scraper rather than one of a
    flood, on the same connection or from the same address. The newest waits behind few: whoever waits opens
    no other connection meanwhile. The addresses are served in rotation, so that a flood from one leaves time
    for the others, and of each the last client first: while there are more than can be served, each would
    otherwise wait until it gives up.

    At most `max_waiting` are accepted and wait unopened; beyond that the first of them is dropped. While only
    few wait, one that does for `max_wait_seconds` is refused.
    """

    def __init__(self, allowance: CpuAllowance, max_wait_seconds: float, max_waiting: int) -> None:
        self._allowance = allowance
        self._idle_allowance = allowance.part(_IDLE_SHARE)
        self._max_wait_seconds = max_wait_seconds
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        # How long each had asked nothing.
        self._known: dict[Candidate, float] = {}
        # By address, the one served longest ago first; of each in the order in which they came.
        self._new: dict[str, dict[Candidate, None]] = {}
        # Those that are no more than a socket, and those that are more but have had no response.
        self._unopened: dict[UnopenedCandidate, None] = {}
        self._opened: dict[Candidate, None] = {}
        self._choices = cycle((self._longest_idle, self._newest, self._next_by_address))
        # The time of the last response by address, the oldest first.
        self._responded_at: dict[str, float] = {}
        self._timer: asyncio.Handle | None = None

    @property
    def waiting(self) -> int:
        """How many wait that are no more than a socket."""
        return len(self._unopened)

    def responded(self, peer: str) -> None:
        """Note that a client of this address gets a response."""
        self._responded_at.pop(peer, None)
        self._responded_at[peer] = self._loop.time()
        if len(self._responded_at) > _MAX_ADDRESSES:
            del self._responded_at[next(iter(self._responded_at))]

    def idle_seconds(self, peer: str) -> float | None:
        """Return for how long this address has asked nothing, or None where a new client may not claim that.

        Only the first may, after a time as between two scrapes, and while no other waits: one that scrapes on
        a connection for each scrape, and is no part of a flood, be it from many addresses.
        """
        at = self._responded_at.pop(peer, None)
        if at is None or peer in self._new:
            return None
        idle_seconds = self._loop.time() - at
        return idle_seconds if idle_seconds >= _IDLE_SECONDS else None

    def admit(self, *, idle_seconds: float | None) -> bool:
        """Tell whether a client may be served at once that has asked nothing for so long.

        None is for one that has had no response yet.
        """
        if idle_seconds is not None and idle_seconds >= _IDLE_SECONDS and self._idle_allowance.available:
            self._idle_allowance.spend(_IDLE_REQUEST_SECONDS)
            return True
        return self._timer is None and self._allowance.available

    def wait(self, candidate: Candidate, *, idle_seconds: float | None) -> None:
        """Serve a connection later that was not admitted."""
        if idle_seconds is None:
            self._opened[candidate] = None
        self._wait(candidate, idle_seconds)

    def wait_new(self, client: UnopenedCandidate, *, idle_seconds: float | None) -> None:
        """Serve a client later that was accepted and not admitted, or has no place yet."""
        self._unopened[client] = None
        self._wait(client, idle_seconds)
        if len(self._unopened) > self._max_waiting:
            self.drop_one()

    def _wait(self, candidate: Candidate, idle_seconds: float | None) -> None:
        if idle_seconds is None:
            self._new.setdefault(candidate.peer, {})[candidate] = None
        else:
            # Of those that are much the same, the first.
            self._known[candidate] = round(idle_seconds, 1)
        if self._timer is None:
            self._pause()

    def forget(self, candidate: Candidate) -> None:
        """Serve this one no more, if it waits."""
        self._known.pop(candidate, None)
        self._unopened.pop(candidate, None)  # type: ignore[call-overload]
        self._opened.pop(candidate, None)
        clients = self._new.get(candidate.peer)
        if clients is not None:
            clients.pop(candidate, None)
            if not clients:
                del self._new[candidate.peer]

    def drop_one(self) -> bool:
        """Close the first that is no more than a socket, and return whether there was one."""
        client = next(iter(self._unopened), None)
        if client is None:
            return False
        self.forget(client)
        client.drop()
        return True

    def refuse_one(self) -> bool:
        """Refuse a client that has a place, and return whether there was one.

        That is the one that asks most often, or else the first of those who have had no response. Whoever
        asks at intervals keeps the place.
        """
        often = min(self._known, key=self._known.__getitem__, default=None)
        if often is not None and self._known[often] < _IDLE_SECONDS:
            self._refuse(often)
            return True
        first = next(iter(self._opened), None)
        if first is None:
            return False
        self._refuse(first)
        return True

    def refuse_most_frequent(self, spared: int) -> bool:
        """Refuse who asks most often of those who have a place, where more than `spared` of them wait."""
        known = [each for each in self._known if each not in self._unopened]
        if len(known) <= spared:
            return False
        self._refuse(min(known, key=self._known.__getitem__))
        return True

    def close(self) -> None:
        """Refuse all, and serve nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        for waiting in (*self._known, *(each for clients in self._new.values() for each in clients)):
            self._refuse(waiting)

    def _refuse(self, candidate: Candidate) -> None:
        self.forget(candidate)
        candidate.refuse()

    def _pause(self) -> None:
        """Serve one after a pause, even where nothing is left: on a slow machine, to wake up takes all."""
        self._timer = self._loop.call_later(self._allowance.pause_seconds(), self._serve_next)

    def _serve_next(self) -> None:
        """Serve one, and go on when it is known what that took."""
        self._timer = None
        self._refuse_late()
        candidate = self._next()
        if candidate is not None:
            self.forget(candidate)
            candidate.serve()
            if self._timer is None:
                self._timer = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._allowance.available:
            self._serve_next()
        else:
            self._pause()

    def _next(self) -> Candidate | None:
        chosen = (next(self._choices)() for _ in range(3))
        return next((each for each in chosen if each is not None), None)

    def _longest_idle(self) -> Candidate | None:
        return max(self._known, key=self._known.__getitem__, default=None)

    def _next_by_address(self) -> Candidate | None:
        peer, clients = next(iter(self._new.items()), ("", None))
        if clients is None:
            return None
        # To the end of the rotation.
        self._new[peer] = self._new.pop(peer)
        return next(reversed(clients))

    def _newest(self) -> Candidate | None:
        return next(reversed(self._unopened), None)

    def _refuse_late(self) -> None:
        oldest = self._loop.time() - self._max_wait_seconds
        while self._unopened and len(self._unopened) <= _FEW_WAITING:
            client = next(iter(self._unopened))
            if client.since >= oldest:
                return
            self._refuse(client)
