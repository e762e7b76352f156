"""What a listener is called: the part of its labels that never changes."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from exporter.kernel.records import Endpoint, Listener
from exporter.kernel.text import printable


class ListenerKey(NamedTuple):
    """Sockets with equal keys are one group: SO_REUSEPORT, or two that share a unix name."""

    netns: str
    protocol: str
    address: str
    port: str


def key_of(listener: Listener, netns: str, protocol: str) -> ListenerKey:
    """Return the key of a listener in the namespace `netns`."""
    if listener.endpoint is None:
        return ListenerKey(netns, protocol, _unix_address(listener.name), "")
    device = f"%{printable(os.fsencode(listener.device))}" if listener.device else ""
    address = _ip_address(listener.endpoint) + device
    return ListenerKey(netns, protocol, address, str(listener.endpoint.port))


def _ip_address(endpoint: Endpoint) -> str:
    return socket.inet_ntop(endpoint.family, endpoint.address)


def _unix_address(name: bytes) -> str:
    if name.startswith(b"\0"):
        return "@" + printable(name[1:])
    return printable(name)
