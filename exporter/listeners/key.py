"""What identifies a listener: those of its labels that never change."""

from __future__ import annotations

from typing import NamedTuple

from exporter.kernel.records import Listener


class ListenerKey(NamedTuple):
    """Sockets with equal keys are one group: SO_REUSEPORT, or two with one unix name."""

    netns: str
    protocol: str
    address: str
    port: str


def key_of(listener: Listener, netns: str, protocol: str) -> ListenerKey:
    """Return the key of a listener in the namespace `netns`."""
    return ListenerKey(netns, protocol, listener.address, listener.port)
