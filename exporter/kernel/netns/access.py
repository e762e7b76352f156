"""Finding and reading other network namespaces, by way of the broker."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from exporter.broker.wire import MAX_TARGETS, NamespaceTarget
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.discovery import RUN_NETNS, Discovery, NamespaceRef
from exporter.kernel.netns.remote import RemoteNamespace, attach_all

# A namespace that is attached, or that could not be.
Attached = Iterator[tuple[RemoteNamespace, KernelError | None]]


class NamespaceAccess:
    """Finds the other namespaces of the host, and opens what is read in them. One thread uses it.

    `max_attached` is how many namespaces `attach` takes at most.
    """

    max_attached = MAX_TARGETS

    def __init__(self, broker: BrokerClient, named: Path = RUN_NETNS) -> None:
        """Take a broker that may enter namespaces; `named` is the directory of ip-netns(8).

        Raises KernelError.
        """
        self._broker = broker
        self._discovery = Discovery(broker, named)

    def find(self) -> list[NamespaceRef]:
        """Return every other namespace. Raises KernelError."""
        return self._discovery.find()

    def namespace(self, name: str, target: NamespaceTarget) -> RemoteNamespace:
        """Return the namespace of a target, with its label `netns`; nothing is opened in it yet."""
        return RemoteNamespace(self._broker, name, target)

    def attach(self, remotes: Sequence[tuple[RemoteNamespace, Collection[str]]]) -> Attached:
        """Attach these namespaces one after the other, each with the files of these names opened.

        Yields each while it is attached, or with the error that kept it from being so. Raises
        BrokerUnavailableError.
        """
        return attach_all(self._broker, remotes)

    def broker_restarts(self) -> int:
        """Return how many brokers have ended."""
        return self._broker.ended
