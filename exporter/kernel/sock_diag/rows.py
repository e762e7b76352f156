"""What each socket family has to know about its dump."""

from __future__ import annotations

from abc import ABC, abstractmethod

from exporter.kernel.records import Listener, QueueReading


class ListenerRows(ABC):
    """How the listeners of one family are asked for, and how the rows of the reply are decoded.

    `request` is one encoded netlink message with NLM_F_DUMP. A row is a netlink message with its header.
    """

    request: bytes

    @abstractmethod
    def cookie(self, row: bytes) -> int:
        """Return the cookie of the socket. Raises MalformedReplyError."""

    @abstractmethod
    def listener(self, row: bytes) -> Listener:
        """Decode what does not change. Raises MalformedReplyError, or KernelError."""

    @abstractmethod
    def reading(self, row: bytes) -> QueueReading:
        """Decode the accept queue. Raises MalformedReplyError."""
