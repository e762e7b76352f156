"""A service manager's end of sd_notify(3): a socket that receives the messages of the exporter."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pytest

from testbed.waiting import DEADLINE_SECONDS

_CREDENTIALS = struct.Struct("3i")
_MOST_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Notification:
    """One message: its fields by name, and the process that sent it."""

    fields: dict[str, str]
    pid: int

    @property
    def status(self) -> str:
        """The field STATUS, empty where there is none."""
        return self.fields.get("STATUS", "")


class NotificationSocket:
    """Receives notifications at a path, or where it begins with @ at an abstract name."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def next(self, seconds: float = DEADLINE_SECONDS) -> Notification | None:
        """The next message; None where none comes in time."""
        self._socket.settimeout(seconds)
        try:
            message, ancillary, _, _ = self._socket.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        except (TimeoutError, BlockingIOError):
            return None
        pid, _, _ = _CREDENTIALS.unpack(ancillary[0][2])
        return Notification(dict(line.split("=", 1) for line in message.decode().split("\n")), pid)

    def receive(self) -> Notification:
        """The next message; fails the test at the deadline."""
        notification = self.next()
        if notification is None:
            pytest.fail(f"no notification came in {DEADLINE_SECONDS:g} s")
        return notification

    def until(self, condition: Callable[[Notification], bool]) -> list[Notification]:
        """All messages up to the first for which it holds; the deadline fails the test with the last one."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        received = [self.receive()]
        while not condition(received[-1]):
            if time.monotonic() > deadline:
                pytest.fail(f"still {received[-1]} after {DEADLINE_SECONDS:g} s")
            received.append(self.receive())
        return received


def has(**fields: str) -> Callable[[Notification], bool]:
    """A condition for `until`: the message has these fields."""
    return lambda notification: fields.items() <= notification.fields.items()
