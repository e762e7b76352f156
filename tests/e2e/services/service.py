"""What a test knows of a service: how it is started, where it listens, and what its clients send."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.program import Program
from testbed.waiting import DEADLINE_SECONDS
from tests.integration.reference import Endpoint


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket of a service, and the backlog that it was configured with."""

    endpoint: Endpoint
    backlog: int

    def new_socket(self) -> socket.socket:
        """A socket of its family that is not yet connected."""
        family = socket.AF_UNIX if self.endpoint.protocol == "unix" else socket.AF_INET
        return socket.socket(family, socket.SOCK_STREAM)

    @property
    def address(self) -> str | tuple[str, int]:
        """What a client connects to."""
        if self.endpoint.protocol == "unix":
            return self.endpoint.address
        return (self.endpoint.address, int(self.endpoint.port))


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and how the right reply begins."""

    request: bytes
    reply: bytes

    def succeeds(self, client: socket.socket) -> bool:
        """Send the request; returns whether the right reply comes."""
        client.sendall(self.request)
        return self.receives_reply(client)

    def receives_reply(self, client: socket.socket) -> bool:
        """Whether the right reply comes to a request that was sent before."""
        client.settimeout(DEADLINE_SECONDS)
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

    `process` is the command name of the process that opened its sockets. `exchanges` are what a client sends
    and receives, in order. `user` is the user that it runs as, None for the user of the test.
    """

    name: str
    process: str
    command: tuple[str, ...]
    folder: Path
    listeners: tuple[Listener, ...]
    exchanges: tuple[Exchange, ...]
    user: int | None = None

    @property
    def listener(self) -> Listener:
        """The listener of a service that has one."""
        (only,) = self.listeners
        return only

    @property
    def endpoint(self) -> Endpoint:
        """Where the listener of a service that has one listens."""
        return self.listener.endpoint

    def answers(self, listener: Listener) -> bool:
        """Whether a new client receives the right reply to each request."""
        with listener.new_socket() as client:
            client.settimeout(DEADLINE_SECONDS)
            try:
                client.connect(listener.address)
                return all(exchange.succeeds(client) for exchange in self.exchanges)
            except OSError:
                return False

    @contextmanager
    def running(self) -> Iterator[Program]:
        """Start it; before the body begins it answers at each of its listeners."""
        with Program(self.command, self.folder / f"{self.name}.log", user=self.user) as program:
            for listener in self.listeners:
                program.wait_until(partial(self.answers, listener))
            yield program


def tcp(port: int, backlog: int, address: str = "127.0.0.1") -> Listener:
    """A TCP listener."""
    return Listener(Endpoint("tcp", address, str(port)), backlog)


def unix(path: Path, backlog: int) -> Listener:
    """A unix listener at a path."""
    return Listener(Endpoint("unix", str(path), ""), backlog)


# The connection is closed after the reply, so that a worker which serves one client at a time is free again.
HTTP = (Exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 OK\r\n"),)
