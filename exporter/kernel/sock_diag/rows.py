"""The base of what dumps and decodes the listeners of one socket family with sock_diag."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from exporter.kernel.records import Listener, QueueReading
from exporter.kernel.sock_diag.diag_socket import DiagSockets
from exporter.kernel.sock_diag.dump import dump


class ListenerRows(ABC):
    """Dumps the listeners of one family, and decodes the rows of the reply.

    `request` is one encoded netlink message with NLM_F_DUMP. A row is a netlink message with its header.
    """

    request: bytes

    def dump(self, sockets: DiagSockets) -> Iterable[bytes]:
        """Yield the datagrams of all listeners. Raises KernelError.

        A family that takes several requests, as where each address family is asked for by itself, makes one
        dump after the other.
        """
        return dump(self.request, sockets)

    @abstractmethod
    def cookie(self, row: bytes) -> int:
        """Return the cookie of the socket. Raises MalformedReplyError."""

    @abstractmethod
    def listener(self, row: bytes) -> Listener:
        """Decode what does not change. Raises MalformedReplyError, or KernelError."""

    @abstractmethod
    def reading(self, row: bytes) -> QueueReading:
        """Decode the accept queue. Raises MalformedReplyError."""
