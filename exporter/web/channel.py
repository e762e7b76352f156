"""How bytes get from and to a client: the part of a connection that TLS replaces."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol


class Channel(Protocol):
    """A stream of bytes that never waits.

    `receive` and `send` raise BlockingIOError where they would have to wait for the client, and any other
    OSError where the connection is broken.
    """

    def fileno(self) -> int:
        """Return the descriptor whose readiness tells when to try again."""
        ...

    def receive(self, size: int) -> bytes:
        """Return at most `size` bytes, or none where the client sends no more."""
        ...

    def has_ended(self) -> bool:
        """Return whether there is nothing to read, and never will be."""
        ...

    def send(self, parts: Sequence[memoryview]) -> int:
        """Send what is possible of these bytes, and return how many it was."""
        ...

    def finish(self) -> None:
        """Tell the client that no more comes; it may be sending still."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Transport(Protocol):
    """Makes channels of sockets that were accepted."""

    @property
    def refuses_in_http(self) -> bool:
        """Whether a client that is refused before its channel is made can read a response."""
        ...

    def open(self, accepted: socket.socket) -> Channel:
        """Return the channel of a socket; it must not wait either."""
        ...


def has_ended(connection: socket.socket) -> bool:
    """Return whether the other side has closed and everything was read."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


class PlainChannel:
    """The bytes of a TCP or unix socket as they are."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)  # noqa: FBT003  (the standard library's signature)
        self._socket = connection

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def receive(self, size: int) -> bytes:
        """Return what has arrived, at most `size` bytes."""
        return self._socket.recv(size)

    def has_ended(self) -> bool:
        """Return whether the client has closed, and everything was read."""
        return has_ended(self._socket)

    def send(self, parts: Sequence[memoryview]) -> int:
        """Hand the kernel as much as its buffer takes."""
        return self._socket.sendmsg(parts, (), socket.MSG_NOSIGNAL)

    def finish(self) -> None:
        """Send FIN."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class PlainTransport:
    """Makes channels without encryption."""

    refuses_in_http = True

    def open(self, accepted: socket.socket) -> Channel:
        """Return the channel of a socket."""
        return PlainChannel(accepted)
