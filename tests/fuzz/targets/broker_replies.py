"""What the exporter makes of any reply of its brokers: an answer, or one of the two documented errors."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing, suppress

from exporter.broker.process_files import ProcessFile
from exporter.broker.socket_file import BoundSocket, HeldSocket
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import AccessHungError, BrokerUnavailableError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.opened import OpenedDescriptors
from exporter.kernel.processes.file_broker import FileBrokerClient
from tests.fuzz.target import Target, parts


def run(data: bytes) -> None:
    """Ask for each thing of a broker that replies with two messages and ends."""
    replies = [part for part in parts(data, 2) if part]
    asked: tuple[Callable[[BrokerClient], object], ...] = (
        BrokerClient.pids,
        lambda client: client.namespaces([1]),
        lambda client: list(client.sockets(1)),
        lambda client: client.link_of_process(1, "exe"),
        _enter,
    )
    for ask in asked:
        with _Broker(replies) as ours, suppress(BrokerUnavailableError, OSError):
            ask(BrokerClient(ours, timeout_seconds=0.5))
    with _Broker(replies) as ours, suppress(BrokerUnavailableError, AccessHungError, OSError):
        FileBrokerClient(ours).read(1, 1, ProcessFile.CMDLINE)
    with _Broker(replies) as ours:
        held = [HeldSocket(pid, 1, BoundSocket(b"/a", 1, 1)) for pid in (1, 1, 2)]
        assert 0 < len(FileBrokerClient(ours).find_sockets(held)) <= len(held)


def _enter(client: BrokerClient) -> None:
    for opened in client.enter([NamespaceTarget(pid=1)]):
        if isinstance(opened, OpenedDescriptors):
            opened.close()


class _Broker:
    """A channel on which these replies arrive after a request, and nothing else."""

    def __init__(self, replies: list[bytes]) -> None:
        self._replies = replies

    def __enter__(self) -> socket.socket:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return _Answered(self._ours, self._theirs, self._replies)  # type: ignore[return-value]

    def __exit__(self, *_: object) -> None:
        with closing(self._ours), closing(self._theirs):
            pass


class _Answered:
    """A socket that has its replies as soon as the first request is sent."""

    def __init__(self, ours: socket.socket, theirs: socket.socket, replies: list[bytes]) -> None:
        self._ours = ours
        self._theirs = theirs
        self._replies = replies

    def send(self, message: bytes) -> int:
        sent = self._ours.send(message)
        for reply in self._replies:
            self._theirs.send(reply)
        self._theirs.close()
        return sent

    def __getattr__(self, name: str) -> object:
        return getattr(self._ours, name)


TARGET = Target(run, max_bytes=512)
