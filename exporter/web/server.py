"""The HTTP server: listening sockets, connections and routes put together."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

from exporter.web.acceptor import ACCEPT_SHARE, Acceptor
from exporter.web.admission import Admission
from exporter.web.channel import PlainTransport, Transport
from exporter.web.connections import Connections
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.limits import Limits
from exporter.web.router import Responder

_DEFAULT_LIMITS: Final = Limits()
_PLAIN: Final = PlainTransport()
_POLL_SECONDS: Final = 0.01


class Server:
    """Serves the routes of `router` on listening sockets, which it closes in the end.

    `transport` makes the streams of bytes of the connections that are accepted. `start` and `stop` are
    called once each, in the thread of a running asyncio loop.
    """

    def __init__(
        self,
        router: Responder,
        sockets: Sequence[socket.socket],
        allowance: CpuAllowance,
        limits: Limits = _DEFAULT_LIMITS,
        transport: Transport = _PLAIN,
    ) -> None:
        self._limits = limits
        self._admission = Admission(allowance, limits.header_seconds, limits.waiting)
        self._connections = Connections(router, limits, self._admission)
        self._acceptor = Acceptor(
            sockets, self._connections, self._admission, transport, allowance.part(ACCEPT_SHARE)
        )

    def start(self) -> None:
        """Accept connections."""
        self._acceptor.start()

    def renew_connections(self) -> None:
        """Close the connections of before, as where their transport is another now.

        A response that is under way is finished; its connection is closed then.
        """
        self._connections.end()

    async def stop(self) -> None:
        """Stop listening, give unfinished responses `stop_seconds`, then close every connection."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.stop_seconds
        self._acceptor.stop()
        self._admission.close()
        self._connections.end()
        while self._connections.responding() and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        self._connections.close()
