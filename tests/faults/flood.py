"""Clients that ask as fast as they can, in a process of their own."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Flood:
    """`clients` connections at a time, each of which sends `request`, and asks again when it has a response.

    Unless it `keeps` its connection it opens another for that. With `pieces` the request is sent byte by
    byte, and never to its end.
    """

    request: bytes
    clients: int = 300
    keeps: bool = False
    pieces: bool = False

    @contextmanager
    def running(self, port: int) -> Iterator[None]:
        """Run until the block ends."""
        pid = os.fork()
        if pid == 0:
            try:
                self._run(port)
            finally:
                os._exit(1)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _run(self, port: int) -> None:
        with selectors.EpollSelector() as selector:
            for _ in range(self.clients):
                _connect(selector, port)
            while True:
                for key, _ in selector.select():
                    client = key.fileobj
                    assert isinstance(client, socket.socket)
                    if not self._go_on(selector, client, reads=key.events == selectors.EVENT_READ):
                        selector.unregister(client)
                        client.close()
                        _connect(selector, port)
                if self.pieces:
                    time.sleep(0.01)

    def _go_on(self, selector: selectors.EpollSelector, client: socket.socket, *, reads: bool) -> bool:
        """Return whether the connection stays."""
        with suppress(OSError):
            if not reads:
                client.send(self.request[-1:] if self.pieces else self.request)
                if not self.pieces:
                    selector.modify(client, selectors.EVENT_READ)
                return True
            if client.recv(1 << 20) and self.keeps:
                selector.modify(client, selectors.EVENT_WRITE)
                return True
        return False


def _connect(selector: selectors.EpollSelector, port: int) -> None:
    client = socket.socket()
    client.settimeout(0)
    with suppress(BlockingIOError):
        client.connect((HOST, port))
    selector.register(client, selectors.EVENT_WRITE)
