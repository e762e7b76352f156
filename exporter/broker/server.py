"""The broker: it answers five kinds of request, and does not parse what it opens."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Generator
from contextlib import closing, suppress

from exporter import proc
from exporter.broker import wire
from exporter.broker.switcher import NamespaceSwitcher, open_here
from exporter.broker.wire import BrokerReply, BrokerRequest, MalformedMessageError, Portion, RequestType

# A reply and the descriptors that go with it.
Reply = tuple[BrokerReply, list[int]]


class BrokerServer:
    """Answers requests with the replies that `wire` describes."""

    def __init__(
        self, switcher: NamespaceSwitcher, root: str = "/proc", max_per_reply: int = wire.MAX_PER_REPLY
    ) -> None:
        """Take what enters namespaces; `root` is where procfs is mounted."""
        self._switcher = switcher
        self._root = root
        self._max_per_reply = max_per_reply
        # The descriptors of the process asked about last: they are listed once for all portions.
        self._listed: tuple[int, list[str]] = (0, [])

    def serve(self, channel: socket.socket) -> None:
        """Answer until the other side has closed its socket. Raises OSError."""
        with suppress(BrokenPipeError, ConnectionResetError):
            while message := channel.recv(wire.MAX_MESSAGE_BYTES):
                with closing(self.answer(message)) as replies:
                    for reply, descriptors in replies:
                        _send(channel, reply, descriptors)

    def answer(self, message: bytes) -> Generator[Reply, None, None]:
        """Yield the replies to a message; one that is no request is not answered."""
        with suppress(MalformedMessageError):
            request = wire.unpack_request(message)
            if request.kind is RequestType.ENTER:
                yield from self._enter(request)
            else:
                yield self._read(request)

    def _enter(self, request: BrokerRequest) -> Generator[Reply, None, None]:
        with self._switcher.entered():
            for target in request.targets:
                started = time.thread_time_ns()
                try:
                    self._switcher.enter(target)
                    opened, descriptors = open_here(target.files)
                except OSError as error:
                    yield BrokerReply(request.number, error.errno or errno.EIO), []
                else:
                    used = time.thread_time_ns() - started
                    yield BrokerReply(request.number, 0, used, opened), descriptors

    def _read(self, request: BrokerRequest) -> Reply:
        started = time.thread_time_ns()
        descriptors: list[int] = []
        portion = None
        failed = 0
        try:
            match request.kind:
                case RequestType.NAMESPACES:
                    portion = self._namespaces(request.start)
                case RequestType.PIDS:
                    portion = self._pids(request.start)
                case RequestType.SOCKETS:
                    portion = self._sockets(request.pid, request.start)
                case _:
                    descriptors = [proc.open_file(f"{self._root}/{request.pid}/{request.file}")]
        except OSError as error:
            failed = error.errno or errno.EIO
        used = time.thread_time_ns() - started
        return BrokerReply(request.number, failed, used, portion=portion), descriptors

    def _sockets(self, pid: int, start: int) -> Portion:
        directory = proc.open_directory(f"{self._root}/{pid}/fd")
        try:
            if start == 0 or self._listed[0] != pid:
                self._listed = (pid, os.listdir(directory))  # noqa: PTH208  (pathlib takes no descriptor)
            names = self._listed[1]
            end = start + self._max_per_reply
            inodes = proc.socket_inodes(directory, names[start:end])
        finally:
            os.close(directory)
        return Portion(inodes, end if end < len(names) else 0)

    def _namespaces(self, start: int) -> Portion:
        pids = self._pids(start)
        found: dict[int, int] = {}
        for pid in pids.numbers:
            # A process that has ended, or that this one may not trace.
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                inode = proc.network_namespace(pid, self._root)
                if inode is not None:
                    found.setdefault(inode, pid)
        numbers = [number for inode_and_pid in found.items() for number in inode_and_pid]
        return Portion(numbers, pids.following)

    def _pids(self, start: int) -> Portion:
        """List a portion of the processes whose numbers are greater than `start`."""
        pids = sorted(pid for pid in proc.pids(self._root) if pid > start)
        portion = pids[: self._max_per_reply]
        return Portion(portion, portion[-1] if len(portion) < len(pids) else 0)


def serve(channel: socket.socket) -> None:
    """Be the broker at this socket until the other side has closed its own. Raises OSError."""
    BrokerServer(NamespaceSwitcher()).serve(channel)


def _send(channel: socket.socket, reply: BrokerReply, descriptors: list[int]) -> None:
    try:
        socket.send_fds(channel, [wire.pack_reply(reply)], descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
