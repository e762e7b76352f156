"""A service manager's end of sd_notify(3): a socket on which the exporter says how it is."""

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
class Said:
    """One message: its fields by name, and the process that sent it."""

    fields: dict[str, str]
    pid: int

    @property
    def status(self) -> str:
        """The line for people, empty where there is none."""
        return self.fields.get("STATUS", "")


class Manager:
    """Listens at a path, or where it begins with @ at an abstract name, and is told things."""

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

    def next(self, seconds: float = DEADLINE_SECONDS) -> Said | None:
        """The next message; None where none comes in time."""
        self._socket.settimeout(seconds)
        try:
            message, ancillary, _, _ = self._socket.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        except (TimeoutError, BlockingIOError):
            return None
        pid, _, _ = _CREDENTIALS.unpack(ancillary[0][2])
        return Said(dict(line.split("=", 1) for line in message.decode().split("\n")), pid)

    def hear(self) -> Said:
        """The next message; fails the test at the deadline."""
        said = self.next()
        if said is None:
            pytest.fail(f"nothing was said for {DEADLINE_SECONDS:g} s")
        return said

    def until(self, right: Callable[[Said], bool]) -> list[Said]:
        """All messages up to the one that is right; fails the test with the last one at the deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        heard = [self.hear()]
        while not right(heard[-1]):
            if time.monotonic() > deadline:
                pytest.fail(f"still {heard[-1]} after {DEADLINE_SECONDS:g} s")
            heard.append(self.hear())
        return heard


def says(**fields: str) -> Callable[[Said], bool]:
    """A condition for `until`: the message has these fields."""
    return lambda said: fields.items() <= said.fields.items()
