"""Which client is served next while clients want more processor time than they may use."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from exporter.web.cpu_allowance import CpuAllowance

# A client that has asked nothing for so long, as between two scrapes, is served before others.
_RARE_SECONDS: Final = 0.9


class Candidate(Protocol):
    """A client that waits to be served; `since` is when it began to wait, in the time of the event loop."""

    @property
    def since(self) -> float: ...  # noqa: D102  (the class says it)

    def serve(self) -> None:
        """Serve it, unless it has gone meanwhile."""
        ...


class NewClient(Candidate, Protocol):
    """A client that was accepted, and of which nothing was read; `peer` is its address, without a port."""

    @property
    def peer(self) -> str: ...  # noqa: D102  (the class says it)

    def refuse(self) -> None:
        """Tell it to come again later."""
        ...


class Admission:
    """Clients that wait. Used in one event loop.

    First come those who keep their connection and ask now and then, then the first requests of those who were
    served as new ones. Of new ones the addresses are served in rotation, so that a flood from one leaves time
    for the others. Of those with the same address the last is served first: while there are more than can be
    served, each would otherwise wait until it gives up. Those who keep a connection and ask all the time come
    last. A new one that has waited for `max_wait_seconds` is refused.
    """

    def __init__(self, allowance: CpuAllowance, max_wait_seconds: float) -> None:
        self._allowance = allowance
        self._max_wait_seconds = max_wait_seconds
        self._loop = asyncio.get_running_loop()
        # By address, the one served longest ago first; of each in the order in which they came.
        self._new: dict[str, deque[NewClient]] = {}
        # How many new ones there are.
        self.waiting = 0
        self._rare: deque[Candidate] = deque()
        self._first: deque[Candidate] = deque()
        self._repeated: deque[Candidate] = deque()
        self._timer: asyncio.Handle | None = None

    def admit(self, *, idle_seconds: float | None) -> bool:
        """Tell whether a request may be served at once, of a client that has asked nothing for so long.

        None is for its first request.
        """
        if (idle_seconds is None or idle_seconds >= _RARE_SECONDS) and not self._allowance.exhausted:
            return True
        return self._timer is None and self._allowance.available

    def admit_new(self) -> bool:
        """Tell whether a new client may be served at once."""
        return self._timer is None and self._allowance.available

    def wait(self, candidate: Candidate, *, idle_seconds: float | None) -> None:
        """Serve a request later that was not admitted."""
        if idle_seconds is None:
            self._first.append(candidate)
        elif idle_seconds >= _RARE_SECONDS:
            self._rare.append(candidate)
        else:
            self._repeated.append(candidate)
        self._serve_later()

    def wait_new(self, client: NewClient) -> None:
        """Serve a new client later."""
        self._new.setdefault(client.peer, deque()).append(client)
        self.waiting += 1
        self._serve_later()

    def refuse_one(self) -> bool:
        """Refuse a new client, and return whether there was one: the first of the address with the most."""
        if not self._new:
            return False
        peer = max(self._new, key=lambda each: len(self._new[each]))
        self._taken(peer, self._new[peer].popleft()).refuse()
        return True

    def close(self) -> None:
        """Refuse all."""
        if self._timer is not None:
            self._timer.cancel()
        while self.refuse_one():
            pass

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
        if self._rare or self._first or self._new or self._repeated:
            self._pop().serve()
            self._timer = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._allowance.available:
            self._serve_next()
        else:
            self._pause()

    def _pop(self) -> Candidate:
        for waiting in (self._rare, self._first):
            if waiting:
                return waiting.popleft()
        return self._pop_new() if self._new else self._repeated.popleft()

    def _pop_new(self) -> NewClient:
        """Take the last client of the address that was served longest ago."""
        peer = next(iter(self._new))
        clients = self._new.pop(peer)
        self._new[peer] = clients
        return self._taken(peer, clients.pop())

    def _refuse_late(self) -> None:
        oldest = self._loop.time() - self._max_wait_seconds
        for peer, clients in list(self._new.items()):
            while clients and clients[0].since < oldest:
                self._taken(peer, clients.popleft()).refuse()

    def _taken(self, peer: str, client: NewClient) -> NewClient:
        self.waiting -= 1
        if not self._new[peer]:
            del self._new[peer]
        return client
