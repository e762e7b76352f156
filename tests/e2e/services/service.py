"""What a test must know of a service: how it is started, where it listens, and how one speaks to it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.waiting import until
from tests.e2e.process import Process
from tests.integration.reference import CgroupLocation

_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A place where a service listens, and the backlog that it was configured with."""

    place: CgroupLocation
    backlog: int

    def dial(self) -> socket.socket:
        """A client of its kind that is not yet connected."""
        family = socket.AF_UNIX if self.place.protocol == "unix" else socket.AF_INET
        return socket.socket(family, socket.SOCK_STREAM)

    @property
    def target(self) -> str | tuple[str, int]:
        """What a client connects to."""
        if self.place.protocol == "unix":
            return self.place.address
        return (self.place.address, int(self.place.port))


@dataclass(frozen=True, slots=True)
class NamespaceSlot:
    """A request, and what the beginning of the right reply is."""

    request: bytes
    reply: bytes

    def take(self, client: socket.socket) -> bool:
        """Ask, and say whether the reply was right."""
        client.sendall(self.request)
        return self.is_answered(client)

    def is_answered(self, client: socket.socket) -> bool:
        """Whether the right reply comes to a request that was sent before."""
        client.settimeout(_TIMEOUT_SECONDS)
        received = b""
        while len(received) < len(self.reply):
            more = client.recv(len(self.reply) - len(received))
            if not more:
                break
            received += more
        return received == self.reply


@dataclass(frozen=True, slots=True)
class Service:
    """A program that is set up in a folder and can be started.

    `process` is the command name of the process that opened its sockets. `dialogue` is what a client says and
    hears, turn by turn. `user` is who runs it, None for the user of the test.
    """

    name: str
    process: str
    command: tuple[str, ...]
    folder: Path
    listeners: tuple[Listener, ...]
    dialogue: tuple[NamespaceSlot, ...]
    user: int | None = None

    @property
    def listener(self) -> Listener:
        """Where it listens, of a service that listens in one place."""
        (only,) = self.listeners
        return only

    @property
    def place(self) -> CgroupLocation:
        """The same as the labels name it."""
        return self.listener.place

    def answers(self, listener: Listener) -> bool:
        """Whether a new client gets the right reply to all it says."""
        with listener.dial() as client:
            client.settimeout(_TIMEOUT_SECONDS)
            try:
                client.connect(listener.target)
                return all(turn.take(client) for turn in self.dialogue)
            except OSError:
                return False

    @contextmanager
    def running(self) -> Iterator[Process]:
        """Start it; it answers at each of its listeners before the body begins."""
        with Process(self.name, self.command, self.folder, user=self.user) as process:
            for listener in self.listeners:
                until(partial(self._is_up, process, listener), bool)
            yield process

    def _is_up(self, process: Process, listener: Listener) -> bool:
        process.must_run()
        return self.answers(listener)


def tcp(port: int, backlog: int, address: str = "127.0.0.1") -> Listener:
    """A TCP listener."""
    return Listener(CgroupLocation("tcp", address, str(port)), backlog)


def unix(path: Path, backlog: int) -> Listener:
    """A listener at a path."""
    return Listener(CgroupLocation("unix", str(path), ""), backlog)


# Closed at once, so that a worker which takes one client at a time is soon free for the next.
HTTP = (
    NamespaceSlot(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 OK\r\n"),
)
