"""What identifies a listener: those of its labels that never change."""

from __future__ import annotations

from typing import NamedTuple

from exporter.kernel.records import Listener


class ListenerKey(NamedTuple):
    """Where a listener is. Sockets of one program with equal keys are one listener (SO_REUSEPORT).

    Unix sockets are told apart by their files as well (`Listener.bound_to`).
    """

    netns: str
    protocol: str
    address: str
    port: str


def key_of(listener: Listener, netns: str, protocol: str) -> ListenerKey:
    """Return the key of a listener in the namespace `netns`, as far as the kernel's row tells it."""
    return ListenerKey(netns, protocol, listener.address, listener.port)
