"""A listener on loopback, and clients that fill its accept queue."""

from __future__ import annotations

import socket


def accepts(port: int) -> bool:
    """Return whether something listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def fill(port: int) -> list[socket.socket]:
    """Connect until the kernel takes no further connection into the accept queue."""
    clients = []
    try:
        while True:
            clients.append(socket.create_connection(("127.0.0.1", port), timeout=0.3))
    except TimeoutError:
        return clients
