"""Which client is served next while clients want more processor time than they may use."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from exporter.web.cpu_allowance import CpuAllowance

# A client that has asked nothing for so long, as between two scrapes, may use what others have left.
RARE_SECONDS: Final = 0.9
# Of so many addresses it is known when a client of theirs had its last response.
_MAX_ADDRESSES: Final = 4096


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


class Admission:
    """Clients that wait. Used in one event loop.

    Those who have had a response before and those who have not are served alternately. Of the first the one
    is next that had asked nothing for the longest time, which is a scraper rather than one of a flood, on the
    same connection or from the same address. Of the others the addresses are served in rotation, so that a
    flood from one leaves time for the others. Of those with the same address the last is served first: while
    there are more than can be served, each would otherwise wait until it gives up. One that was accepted, and
    of which nothing was read for `max_wait_seconds`, is refused.
    """

    def __init__(self, allowance: CpuAllowance, max_wait_seconds: float) -> None:
        self._allowance = allowance
        self._max_wait_seconds = max_wait_seconds
        self._loop = asyncio.get_running_loop()
        # How long each had asked nothing.
        self._known: dict[Candidate, float] = {}
        # By address, the one served longest ago first; of each in the order in which they came.
        self._new: dict[str, dict[Candidate, None]] = {}
        # Of these the ones that are no more than a socket, in the order in which they came.
        self._unopened: dict[Candidate, None] = {}
        self._known_are_next = True
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

        Only the first may, after a time as between two scrapes: one that scrapes on a connection for each
        scrape, and is no part of a flood.
        """
        at = self._responded_at.pop(peer, None)
        idle_seconds = 0.0 if at is None else self._loop.time() - at
        return idle_seconds if idle_seconds >= RARE_SECONDS else None

    def admit(self, *, idle_seconds: float | None) -> bool:
        """Tell whether a client may be served at once that has asked nothing for so long.

        None is for one that has had no response yet.
        """
        if idle_seconds is not None and idle_seconds >= RARE_SECONDS and not self._allowance.exhausted:
            return True
        return self._timer is None and self._allowance.available

    def wait(self, candidate: Candidate, *, idle_seconds: float | None) -> None:
        """Serve a connection later that was not admitted."""
        if idle_seconds is None:
            self._new.setdefault(candidate.peer, {})[candidate] = None
        else:
            # Of those that are much the same, the first.
            self._known[candidate] = round(idle_seconds, 1)
        self._serve_later()

    def wait_new(self, client: Candidate, *, idle_seconds: float | None) -> None:
        """Serve a client later that was accepted and not admitted."""
        self._unopened[client] = None
        self.wait(client, idle_seconds=idle_seconds)

    def forget(self, candidate: Candidate) -> None:
        """Serve this one no more, if it waits."""
        self._known.pop(candidate, None)
        self._unopened.pop(candidate, None)
        clients = self._new.get(candidate.peer)
        if clients is not None:
            clients.pop(candidate, None)
            if not clients:
                del self._new[candidate.peer]

    def refuse_one(self) -> bool:
        """Refuse a client, and return whether there was one.

        That is the first of the address with the most, or else the one that asks most often.
        """
        if self._new:
            peer = max(self._new, key=lambda each: len(self._new[each]))
            self._refuse(next(iter(self._new[peer])))
            return True
        often = min(self._known, key=self._known.__getitem__, default=None)
        if often is None or self._known[often] >= RARE_SECONDS:
            return False
        self._refuse(often)
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

    def _serve_later(self) -> None:
        if self._timer is None:
            self._pause()

    def _pause(self) -> None:
        """Serve one after a pause, even where nothing is left: on a slow machine, to wake up takes all."""
        self._timer = self._loop.call_later(self._allowance.pause_seconds(), self._serve_next)

    def _serve_next(self) -> None:
        """Serve one, and go on when it is known what that took."""
        self._timer = None
        self._refuse_late()
        if self._known or self._new:
            candidate = self._next()
            self.forget(candidate)
            candidate.serve()
            if self._timer is None:
                self._timer = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._allowance.available:
            self._serve_next()
        else:
            self._pause()

    def _next(self) -> Candidate:
        if self._known and (self._known_are_next or not self._new):
            self._known_are_next = False
            return max(self._known, key=self._known.__getitem__)
        self._known_are_next = True
        peer, clients = next(iter(self._new.items()))
        # To the end of the rotation.
        self._new[peer] = self._new.pop(peer)
        return next(reversed(clients))

    def _refuse_late(self) -> None:
        oldest = self._loop.time() - self._max_wait_seconds
        while self._unopened:
            client = next(iter(self._unopened))
            if client.since >= oldest:
                return
            self._refuse(client)
