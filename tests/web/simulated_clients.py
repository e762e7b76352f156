"""Clients on a virtual clock: a flood, and those who scrape at intervals."""

from __future__ import annotations

import select
import selectors
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Protocol

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200"
_NEVER = 1e9
_SERVER = "127.0.0.1"
_FIRST_ADDRESS = IPv4Address("127.1.0.1")
# linux/in.h; the port is chosen by connect(), so that several addresses may have it.
_IP_BIND_ADDRESS_NO_PORT = 24
_RECEIVED_BYTES = 1 << 20
# In real time: as long as the kernel may have something else to do first.
_CONNECT_MILLISECONDS = 50


class SimulatedClient(Protocol):
    """A client, or many."""

    def act(self, port: int, now: float) -> float:
        """Do what is due at this time, and return when there is something to do again."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


class SimulatedClients:
    """All clients of the server at a port of 127.0.0.1, until they are closed."""

    def __init__(self, port: int, *clients: SimulatedClient) -> None:
        self._port = port
        self._clients = clients

    def act(self, now: float) -> float:
        """Have each do what is due."""
        return min((each.act(self._port, now) for each in self._clients), default=_NEVER)

    def close(self) -> None:
        """Close all connections, and do nothing any more."""
        for each in self._clients:
            each.close()
        self._clients = ()


@dataclass
class Flood:
    """`clients` connections at a time, each of which sends `request`.

    With a response, or when it is closed, one opens another, or asks again after `pause_seconds` where it
    `keeps` its connection.
    With a `rate` so many are opened each second in place of that, and closed after `timeout_seconds`.
    """

    clients: int = 0
    request: bytes = SCRAPE
    keeps: bool = False
    pause_seconds: float = 0.0
    addresses: int = 1
    rate: float = 0.0
    timeout_seconds: float = _NEVER
    begins: float = 0.0
    opened: int = 0
    # What came, by its first bytes: the status of a response, or nothing; `reset`, and `dropped` SYNs.
    received: Counter[bytes] = field(default_factory=Counter)
    _open: dict[socket.socket, float] = field(default_factory=dict)
    # Those that ask again later, and when.
    _pausing: dict[socket.socket, float] = field(default_factory=dict)
    _selector: selectors.EpollSelector = field(default_factory=selectors.EpollSelector)

    def act(self, port: int, now: float) -> float:
        """Read what came, and open what is missing."""
        if now < self.begins:
            return self.begins
        for key, _ in self._selector.select(0):
            assert isinstance(key.fileobj, socket.socket)
            self._read(key.fileobj, now)
        self._go_on(now)
        if self.rate:
            while self.opened < (now - self.begins) * self.rate:
                self._connect(port, now)
            return self.begins + self.opened / self.rate
        while len(self._open) < self.clients:
            if not self._connect(port, now):
                # So does the kernel, which sends SYN again.
                return now + 1.0
        return next(iter(self._pausing.values()), _NEVER)

    def _connect(self, port: int, now: float) -> bool:
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        client.bind((str(_FIRST_ADDRESS + self.opened % self.addresses), 0))
        self.opened += 1
        if not _is_connected(client, port):
            self.received[b"dropped"] += 1
            return False
        if self.request:
            client.send(self.request)
        self._open[client] = now
        self._selector.register(client, selectors.EVENT_READ)
        return True

    def _read(self, client: socket.socket, now: float) -> None:
        try:
            data = client.recv(_RECEIVED_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b"reset"
        self.received[data[: len(OK)]] += 1
        if self.keeps and data.startswith(OK):
            self._pausing[client] = now + self.pause_seconds
        else:
            self._close(client)

    def _go_on(self, now: float) -> None:
        """Have those ask again, and those give up, for whom it is time."""
        while (first := next(iter(self._pausing.items()), None)) and first[1] <= now:
            client, _ = first
            del self._pausing[client]
            # Where the server has not read the one before, that will do.
            with suppress(BlockingIOError):
                client.send(self.request)
        while (first := next(iter(self._open.items()), None)) and now - first[1] >= self.timeout_seconds:
            self._close(first[0])

    def _close(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._open[client]
        self._pausing.pop(client, None)
        client.close()

    def close(self) -> None:
        """Close every connection."""
        for client in list(self._open):
            self._close(client)
        self._selector.close()


@dataclass
class Scraper:
    """Scrapes each second from `host`, on one connection that it `keeps` or on another each time."""

    host: str
    keeps: bool = False
    interval_seconds: float = 1.0
    begins: float = 0.0
    timeout_seconds: float = 15.0
    # How long each took, and what came in place of a page.
    seconds: list[float] = field(default_factory=list)
    failures: list[bytes] = field(default_factory=list)
    _client: socket.socket | None = None
    _asked_at: float = 0.0
    _is_asking: bool = False
    _retry_seconds: float = 1.0

    def act(self, port: int, now: float) -> float:
        """Ask when it is time for that, and read what came."""
        if not self._is_asking:
            if now < self.begins:
                return self.begins
            if not self._ask(port, now):
                return self.begins
        assert self._client is not None
        try:
            data = self._client.recv(_RECEIVED_BYTES)
        except BlockingIOError:
            if now < self._asked_at + self.timeout_seconds:
                return self._asked_at + self.timeout_seconds
            data = b"timeout"
        except OSError:
            data = b"reset"
        self._note(now, data)
        return self.begins

    def waited(self, now: float) -> list[float]:
        """How long each took, and the one that has no response yet so far."""
        return [*self.seconds, *([now - self._asked_at] if self._asked_at else [])]

    def forget(self) -> None:
        """Begin to note anew."""
        self.seconds.clear()
        self.failures.clear()

    def _ask(self, port: int, now: float) -> bool:
        self._asked_at = self._asked_at or now
        if self._client is None:
            client = socket.socket()
            client.bind((self.host, 0))
            if not _is_connected(client, port):
                # Its SYN was dropped; the kernel sends it again.
                self.begins = now + self._retry_seconds
                self._retry_seconds *= 2
                return False
            self._client = client
        self._client.send(SCRAPE)
        self._is_asking = True
        return True

    def _note(self, now: float, data: bytes) -> None:
        self.seconds.append(now - self._asked_at)
        is_page = data.startswith(OK)
        if not is_page:
            self.failures.append(data[: len(OK)])
        if not (is_page and self.keeps):
            self.close()
        self._asked_at, self._is_asking, self._retry_seconds = 0.0, False, 1.0
        self.begins = now + self.interval_seconds

    def close(self) -> None:
        """Close its connection."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _is_connected(client: socket.socket, port: int) -> bool:
    """Connect, and return whether that succeeded at once; a socket that is not connected is closed.

    On one machine it does unless the queue of the server is full.
    """
    client.settimeout(0)
    with suppress(BlockingIOError):
        client.connect((_SERVER, port))
    # It is writable then, and where it failed. Unlike select(), poll() takes any descriptor.
    poll = select.poll()
    poll.register(client, select.POLLOUT)
    poll.poll(_CONNECT_MILLISECONDS)
    try:
        client.getpeername()
    except OSError:
        client.close()
        return False
    return True
