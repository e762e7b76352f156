"""Other network namespaces that a test makes, in place of those that the broker enters."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.kernel.netns.namespace import Namespace
from tests.listeners import sockets
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeNamespace


@dataclass
class FakeRemote:
    """Stands in for RemoteNamespace."""

    name: str
    namespace: Namespace
    target: NamespaceTarget
    broker_seconds: float = 0.0

    def set_target(self, target: NamespaceTarget) -> None:
        """Take another way in."""
        self.target = target


class FakeAccess:
    """Stands in for NamespaceAccess.

    `errors` keep namespaces from being attached, `costs` are of one sample of their TCP listeners, both by
    name; `broker_seconds` is what each attach takes in the broker; after `lost_after` the broker is lost.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        """Have no namespace yet."""
        self.clock = clock or FakeClock()
        self.refs: dict[int, NamespaceRef] = {}
        self.kernels: dict[str, FakeNamespace] = {}
        self.remotes: dict[str, FakeRemote] = {}
        self.errors: dict[str, KernelError] = {}
        self.costs: dict[str, float] = {}
        self.broker_seconds = 0.0
        self.lost_after: int | None = None
        self.find_error: KernelError | None = None
        self.attached: list[tuple[float, str]] = []
        self.files: list[tuple[str, Collection[str]]] = []
        self.calls: list[int] = []
        # Discovery must not be slow while pages wait for this lock.
        self.lock: threading.Lock | None = None

    def add(self, *inodes: int, name: str = "") -> None:
        """Make namespaces."""
        for inode in inodes:
            target = NamespaceTarget(name=name.encode()) if name else NamespaceTarget(pid=inode)
            self.refs[inode] = NamespaceRef(inode, name.encode(), target)

    def find(self) -> list[NamespaceRef]:
        """Return those that there are."""
        assert self.lock is None or not self.lock.locked()
        if self.find_error is not None:
            raise self.find_error
        return list(self.refs.values())

    def namespace(self, name: str, target: NamespaceTarget) -> FakeRemote:
        """Return a namespace with one TCP listener."""
        kernel = FakeNamespace(self.clock.spend, name)
        kernel.tcp.cost = self.costs.get(name, 0.0)
        kernel.tcp.open(sockets.tcp(1))
        self.kernels[name] = kernel
        self.remotes[name] = FakeRemote(name, kernel.namespace(), target)
        return self.remotes[name]

    def attach(
        self, remotes: Sequence[tuple[FakeRemote, Collection[str]]]
    ) -> Iterator[tuple[FakeRemote, KernelError | None]]:
        """Yield each, with its error where it has one."""
        self.calls.append(len(remotes))
        for number, (remote, files) in enumerate(remotes):
            if number == self.lost_after:
                raise KernelError("cannot enter network namespaces: gone", "broker")
            self.files.append((remote.name, files))
            error = self.errors.get(remote.name)
            remote.broker_seconds += self.broker_seconds
            if error is None:
                self.attached.append((self.clock.now, remote.name))
            yield remote, error

    def broker_restarts(self) -> int:
        """Return a number that stands for itself."""
        return 3
