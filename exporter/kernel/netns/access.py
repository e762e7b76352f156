"""The way into other network namespaces, through the broker."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from exporter.broker.wire import MAX_TARGETS, NamespaceTarget
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.discovery import RUN_NETNS, Discovery, NamespaceRef
from exporter.kernel.netns.remote import RemoteNamespace, attach_all

Attached = Iterator[tuple[RemoteNamespace, KernelError | None]]


class NamespaceAccess:
    """Finds the other namespaces of the host, and opens what is read in them. One thread uses it."""

    # The most that attach takes at once.
    max_attached = MAX_TARGETS

    def __init__(self, broker: BrokerClient, named: Path = RUN_NETNS) -> None:
        """Take a broker that may enter namespaces; `named` is the folder in which ip-netns(8) names them."""
        self._broker = broker
        self._discovery = Discovery(broker, named)

    def find(self) -> list[NamespaceRef]:
        """Return every other namespace. Raises KernelError."""
        return self._discovery.find()

    def open(self, name: str, target: NamespaceTarget) -> RemoteNamespace:
        """Return a namespace by its target; `name` is its label. Nothing is opened in it yet."""
        return RemoteNamespace(self._broker, name, target)

    def attach(self, remotes: Sequence[tuple[RemoteNamespace, Collection[str]]]) -> Attached:
        """Open, in each of these, a netlink socket and the files with these names, one after the other.

        Yields each while it is open, or with the error that kept it from being opened. Raises KernelError
        where the broker is lost.
        """
        return attach_all(self._broker, remotes)

    def broker_restarts(self) -> int:
        """Count the brokers that were lost."""
        return self._broker.ended
