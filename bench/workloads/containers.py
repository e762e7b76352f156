"""Network namespaces that come and go, each with a process, listeners and a veth pair, as containers have."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from pyroute2 import IPRoute

from bench.workloads import namespace_process
from bench.workloads.socket_process import SocketCounts

_COUNTS: Final = SocketCounts(listeners=3, unix_listeners=1)
_LOOK_SECONDS: Final = 0.001
_DEADLINE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Container:
    """The process that holds the namespace, and this end of the veth pair."""

    pid: int
    interface: str


class Containers:
    """Makes and kills them while this context is open, at the end of which all are gone. It needs root."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: dict[str, Container] = {}
        self._made = 0

    def __enter__(self) -> Self:
        self._links = self._stack.enter_context(IPRoute())
        self._stack.callback(self._kill_all)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def running(self) -> list[Container]:
        """Those that were not killed, the oldest first."""
        return list(self._running.values())

    def make(self) -> Container:
        """Start one, and return when its listeners are open and it has its veth pair."""
        reading, writing = os.pipe()
        with os.fdopen(reading) as answers:
            try:
                container = Container(namespace_process.fork(_COUNTS, writing), f"veth{self._made}")
            finally:
                os.close(writing)
            self._made += 1
            self._running[container.interface] = container
            namespace_process.raise_error(answers.read().splitlines(), 1)
        peer = {"ifname": "eth0", "net_ns_pid": container.pid}
        self._links.link("add", ifname=container.interface, kind="veth", peer=peer)
        return container

    def kill(self, container: Container) -> None:
        """End its process; the kernel then removes the namespace, and with it the veth pair."""
        namespace_process.kill(container.pid)
        namespace_process.wait(container.pid)
        del self._running[container.interface]

    def removal_seconds(self, container: Container) -> float:
        """Kill one, and return the time until its veth is gone, or 5 s where it is not gone until then."""
        started = time.monotonic()
        namespace_process.kill(container.pid)
        while _exists(container.interface) and time.monotonic() < started + _DEADLINE_SECONDS:
            time.sleep(_LOOK_SECONDS)
        seconds = time.monotonic() - started
        self.kill(container)
        return seconds

    def _kill_all(self) -> None:
        for container in self.running:
            namespace_process.kill(container.pid)
        for container in self.running:
            self.kill(container)


def _exists(interface: str) -> bool:
    try:
        socket.if_nametoindex(interface)
    except OSError:
        return False
    return True
