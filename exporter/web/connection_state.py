"""What a connection waits for."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """What a connection waits for."""

    HEADER = enum.auto()  # the rest of a header, or the first one
    IDLE = enum.auto()  # another request
    BODY = enum.auto()  # the rest of a body
    ADMISSION = enum.auto()  # processor time to read what it has sent
    RESPONSE = enum.auto()  # the handler
    SENDING = enum.auto()  # the client, which has yet to take the response
    LINGERING = enum.auto()  # the client, which has yet to close
    CLOSED = enum.auto()
