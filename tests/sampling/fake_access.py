"""Other network namespaces that a test makes, in place of those that the broker enters."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.kernel.netns.namespace import Namespace
from tests.listeners import sockets
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeNamespace


@dataclass(eq=False)
class FakeRemote:
    """Stands in for RemoteNamespace."""

    name: str
    namespace: Namespace
    target: NamespaceTarget
    broker_seconds: float = 0.0
    attached: bool = False
    cookie: int | None = None

    def set_target(self, target: NamespaceTarget) -> None:
        """Take another way in."""
        self.target = target


class FakeAccess:
    """Stands in for NamespaceAccess.

    `errors` keep namespaces from being attached, `costs` are of one sample of their TCP listeners, both by
    name, and `find_cost` that of looking for namespaces; `broker_seconds` is what each attach takes in the
    broker; after `lost_after` the broker is lost.
    With `keep` namespaces stay attached. `found_at` has the times at which namespaces were looked for.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        """Have no namespace yet."""
        self.clock = clock or FakeClock()
        self.refs: dict[int, NamespaceRef] = {}
        self.kernels: dict[str, FakeNamespace] = {}
        self.remotes: dict[str, FakeRemote] = {}
        self.errors: dict[str, KernelError] = {}
        self.costs: dict[str, float] = {}
        self.find_cost = 0.0
        self.broker_seconds = 0.0
        self.lost_after: int | None = None
        self.find_error: KernelError | None = None
        self.keep = False
        self._ended: set[str] = set()
        self._ended_event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.attached: list[tuple[float, str]] = []
        self.files: list[tuple[str, Collection[str]]] = []
        self.calls: list[int] = []
        self.found_at: list[float] = []
        self._found: list[NamespaceRef] = []
        # How often it was said that nobody looks for namespaces any more.
        self.watch_ended = 0
        # Discovery must not be slow while pages wait for this lock.
        self.lock: threading.Lock | None = None

    def add(self, *inodes: int, name: str = "") -> None:
        """Make namespaces."""
        for inode in inodes:
            target = NamespaceTarget(name=name.encode()) if name else NamespaceTarget(pid=inode)
            self.refs[inode] = NamespaceRef(inode, name.encode(), target, inode)

    def find(self, now: float) -> list[NamespaceRef]:
        """Return those that there are, the same list where none has changed."""
        self.found_at.append(now)
        self.clock.spend(self.find_cost)
        assert self.lock is None or not self.lock.locked()
        if self.find_error is not None:
            raise self.find_error
        refs = list(self.refs.values())
        if refs != self._found:
            self._found = refs
        return self._found

    def disable_watchdog(self) -> None:
        """Count it."""
        self.watch_ended += 1

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
            assert not remote.attached, "what is open would be opened once more"
            self.files.append((remote.name, files))
            error = self.errors.get(remote.name)
            remote.broker_seconds += self.broker_seconds
            if error is None:
                self.attached.append((self.clock.now, remote.name))
                remote.attached = True
                remote.cookie = 1
            yield remote, error
            remote.attached = error is None and self.keep

    def keeps(self, count: int) -> bool:
        """Tell whether namespaces stay attached, however many."""
        return bool(count) and self.keep

    def detach(self, remote: FakeRemote) -> None:
        """Close it."""
        remote.attached = False

    def end(self, name: str) -> None:
        """Let the process end that stands for a namespace."""
        self._ended.add(name)
        os.eventfd_write(self._ended_event, 1)

    def detach_ended(self) -> list[FakeRemote]:
        """Close those that have ended, and tell of each once."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._ended_event)
        ended = [self.remotes[name] for name in self._ended if self.remotes[name].attached]
        self._ended.clear()
        for remote in ended:
            remote.attached = False
        return ended

    def ended_descriptor(self) -> int:
        """Return what is readable once one has ended."""
        return self._ended_event

    def __del__(self) -> None:
        """Close the descriptor."""
        os.close(self._ended_event)

    def broker_restarts(self) -> int:
        """Return a number that stands for itself."""
        return 3
