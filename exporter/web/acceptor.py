"""Accepts connections, as many as there are descriptors and processor time for."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from exporter.web.admission import Admission
from exporter.web.channel import Transport
from exporter.web.connections import Connections
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.exchange import Exchange
from exporter.web.limits import Limits
from exporter.web.origin import Origin, peer_of
from exporter.web.response import HttpResponse

_log = logging.getLogger("exporter.web")

# Between two looks at those who are connected.
_MAX_AT_ONCE: Final = 64
# While clients wait, those who come meanwhile are accepted together: to wake up takes as long as ten of them.
_GATHER_SECONDS: Final = 0.05
# Without a pause a listener that stays readable would be asked all the time.
_ERROR_PAUSE_SECONDS: Final = 0.25
# An error that lasts is logged once, and again when it has been absent for so long.
_LOG_SECONDS: Final = 60.0
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Errors of the one connection; accept(2) says to treat them as if there was none.
_OF_CONNECTION: Final = frozenset(
    {
        *(errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENOPROTOOPT, errno.EHOSTDOWN),
        *(errno.ENONET, errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH, errno.EPERM),
    }
)


# The part of what clients may use for accepting and refusing them.
ACCEPT_SHARE: Final = 0.75
_DISCARDED_BYTES: Final = 4096
_BUSY: Final = HttpResponse.busy("too many clients; try again later")


@lru_cache(maxsize=1)
def _refusal(date: str) -> bytes:
    """Return the response to all that are refused in the same second."""
    response = replace(_BUSY, headers={**_BUSY.headers, "Date": date})
    return b"".join(Exchange(Limits()).respond(response, close=True))


class AcceptedClient:
    """A client that waits for processor time. Until it is served it is no more than a socket."""

    __slots__ = ("_accepted", "_connections", "_origin", "_transport", "peer", "since")

    def __init__(
        self, accepted: socket.socket, origin: Origin, connections: Connections, transport: Transport
    ) -> None:
        self.peer = origin.peer
        self._origin = origin
        self.since = connections.now()
        self._accepted = accepted
        self._connections = connections
        self._transport = transport

    def serve(self) -> None:
        """Make a connection of it, and read what it has sent meanwhile; without a place it waits again."""
        connections = self._connections
        if connections.make_place(self._origin):
            connections.add(self._transport.open(self._accepted), self._origin).serve()
        else:
            connections.admission.wait_new(self, idle_seconds=self._origin.idle_seconds)

    def drop(self) -> None:
        """Close it without a response. Where it has sent something, the kernel sends RST."""
        self._accepted.close()

    def refuse(self) -> None:
        """Send a response, whatever the request is, and close."""
        with suppress(OSError):
            if self._transport.refuses_in_http:
                response = _refusal(formatdate(usegmt=True))
                self._accepted.send(response, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                # With bytes unread the kernel would send RST, which may cost the client the response.
                self._accepted.recv(_DISCARDED_BYTES, socket.MSG_DONTWAIT)
        self._accepted.close()


class Acceptor:
    """Accepts on listening sockets, which it closes in the end. Used in one event loop."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        connections: Connections,
        admission: Admission,
        transport: Transport,
        allowance: CpuAllowance,
    ) -> None:
        """`allowance` is for accepting alone."""
        self._listeners = listeners
        self._connections = connections
        self._admission = admission
        self._transport = transport
        self._allowance = allowance
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._logged_at: dict[int | None, float] = {}

    def start(self) -> None:
        """Accept from now on."""
        for listener in self._listeners:
            # Inherited by what is accepted (tcp(7)), so that it costs nothing for each.
            listener.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, self._connections.limits.send_buffer_bytes
            )
        self._resume()

    def stop(self) -> None:
        """Accept no more, and close the listening sockets."""
        self._stop_watching()
        for listener in self._listeners:
            listener.close()

    def _resume(self) -> None:
        self._pause = None
        for listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener)

    def _stop_watching(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for listener in self._listeners:
            self._loop.remove_reader(listener)

    def _pause_for(self, seconds: float) -> None:
        self._stop_watching()
        self._pause = self._loop.call_later(seconds, self._resume)

    def _accept(self, listener: socket.socket) -> None:
        """Accept those who have connected: the kernel does not tell who a client is before that."""
        if self._pause is not None:
            return
        if not self._allowance.available:
            self._pause_for(self._allowance.pause_seconds())
            return
        with self._allowance.measured():
            for _ in range(_MAX_AT_ONCE):
                if not self._accept_one(listener):
                    return

    def _accept_one(self, listener: socket.socket) -> bool:
        """Accept a client, and return whether there may be another."""
        try:
            accepted, address = listener.accept()
        except BlockingIOError:
            if self._admission.waiting:
                self._pause_for(_GATHER_SECONDS)
            return False
        except OSError as error:
            self._note(error)
            return self._pause is None
        self._take(accepted, Origin(peer := peer_of(address), self._admission.idle_seconds(peer)))
        return True

    def _take(self, accepted: socket.socket, origin: Origin) -> None:
        """Make a connection of it, or have it wait as a socket where others wait already."""
        connections, idle_seconds = self._connections, origin.idle_seconds
        if self._admission.admit(idle_seconds=idle_seconds) and connections.make_place(origin):
            connections.add(self._transport.open(accepted), origin)
        else:
            client = AcceptedClient(accepted, origin, connections, self._transport)
            self._admission.wait_new(client, idle_seconds=idle_seconds)

    def _note(self, error: OSError) -> None:
        if error.errno in _OF_CONNECTION:
            return
        if error.errno in _EXHAUSTED and not self._admission.drop_one():
            self._connections.close_one()
        self._pause_for(_ERROR_PAUSE_SECONDS)
        now = self._loop.time()
        last = self._logged_at.get(error.errno)
        self._logged_at[error.errno] = now
        if last is None or now - last > _LOG_SECONDS:
            reason = os.strerror(error.errno) if error.errno else str(error)
            _log.warning(
                "cannot accept connections for now: %s",
                reason,
                extra={"fields": {"connections": len(self._connections)}},
            )
