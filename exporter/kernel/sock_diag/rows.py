"""The base of what decodes the listeners of one socket family from dumps of sock_diag."""

from __future__ import annotations

from abc import ABC, abstractmethod

from exporter.kernel.records import Listener, QueueReading


class ListenerRows(ABC):
    """How the listeners of one family are asked for, and what the rows of the reply mean.

    `requests` are encoded netlink messages with NLM_F_DUMP, several where each address family is asked for
    by itself. A row is a netlink message with its header.
    """

    requests: tuple[bytes, ...]

    @abstractmethod
    def cookie(self, row: bytes) -> int:
        """Return the cookie of the socket. Raises MalformedReplyError."""

    @abstractmethod
    def listener(self, row: bytes) -> Listener:
        """Decode all but the queue. Raises MalformedReplyError.

        A row has the index of the interface that a socket is bound to, and not its name: the address is the
        one without `%device`.
        """

    @abstractmethod
    def same_listener(self, old: bytes, new: bytes) -> bool:
        """Tell whether two rows of one socket have the same listener. Raises MalformedReplyError."""

    @abstractmethod
    def reading(self, row: bytes) -> QueueReading:
        """Decode the accept queue. Raises MalformedReplyError."""
