"""The broker: it answers a few kinds of request, and parses the start of a process and nothing else.

It also kills a process that keeps namespaces open and has stopped asking: what is open there would keep the
namespaces, and the network devices, of containers that end meanwhile.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, suppress
from typing import Final

from exporter import proc
from exporter.broker import wire
from exporter.broker.named_namespaces import MAX_NAMES, NamedNamespace, NamedNamespaces
from exporter.broker.process_name import BROKER
from exporter.broker.report import report
from exporter.broker.switcher import RUN_NETNS, NamespaceSwitcher
from exporter.broker.wire import BrokerReply, BrokerRequest, MalformedMessageError, Portion, RequestType

_GRACE_SECONDS: Final = 2
_TIMEVAL: Final = struct.Struct("@ll")
# struct ucred: process, user and group.
_CREDENTIALS: Final = struct.Struct("=iII")

# A reply and the descriptors that go with it.
Reply = tuple[BrokerReply, list[int]]


class BrokerServer:
    """Answers requests with the replies that `wire` describes."""

    def __init__(
        self,
        switcher: NamespaceSwitcher,
        root: str = "/proc",
        max_per_reply: int = wire.MAX_PER_REPLY,
        named: bytes = RUN_NETNS,
    ) -> None:
        """Take what enters namespaces, where procfs is mounted, and where namespaces have names."""
        self._named = NamedNamespaces(named)
        self._switcher = switcher
        self._root = root
        self._max_per_reply = max_per_reply
        # The descriptors of the process asked about last: they are listed once for all portions.
        self._listed: tuple[int, str, list[str]] = (0, "", [])
        # How soon the next request has to come, 0 where it may take as long as it likes.
        self._watch_seconds = 0

    def serve(self, channel: socket.socket) -> None:
        """Answer until the other side has closed its socket, or was killed. Raises OSError."""
        # The socket has it from a broker that was killed, whose place this one takes: who is watched may have
        # stopped before.
        self._watch_seconds = _receive_timeout(channel)
        with suppress(BrokenPipeError, ConnectionResetError):
            while message := self._receive(channel):
                with closing(self.answer(message)) as replies:
                    for reply, descriptors in replies:
                        _send(channel, reply, descriptors)

    def answer(self, message: bytes) -> Generator[Reply, None, None]:
        """Yield the replies to a message; one that is no request is not answered."""
        with suppress(MalformedMessageError):
            request = wire.unpack_request(message)
            if request.kind is RequestType.ENTER:
                yield from self._enter(request)
            elif request.kind is RequestType.SET_WATCHDOG:
                self._watch_seconds = request.seconds
            else:
                yield self._read(request)

    def _receive(self, channel: socket.socket) -> bytes:
        """Return the next message, an empty one where there will be none."""
        # All processes may have been frozen together, so one that is late gets a moment more.
        for seconds in (self._watch_seconds, _GRACE_SECONDS):
            _set_receive_timeout(channel, seconds if self._watch_seconds else 0)
            with suppress(BlockingIOError):
                return channel.recv(wire.MAX_MESSAGE_BYTES)
        peer = _peer(channel)
        seconds = self._watch_seconds + _GRACE_SECONDS
        report(
            BROKER,
            f"process {peer} asked for nothing in {seconds} s, so it is killed: the network namespaces that"
            " it keeps open would stay after their ends",
        )
        os.kill(peer, signal.SIGKILL)
        return b""

    def _enter(self, request: BrokerRequest) -> Generator[Reply, None, None]:
        with self._switcher.entered():
            for target in request.targets:
                try:
                    opened = self._switcher.open_in(target)
                except OSError as error:
                    yield BrokerReply(request.number, error.errno or errno.EIO, time.process_time_ns()), []
                else:
                    used = time.process_time_ns()
                    reply = BrokerReply(request.number, 0, used, opened.files, pidfd=opened.has_pidfd)
                    yield reply, opened.descriptors

    def _read(self, request: BrokerRequest) -> Reply:
        descriptors: list[int] = []
        portion = link = names = None
        failed = 0
        try:
            match request.kind:
                case RequestType.NAMESPACES:
                    portion = self._namespaces(request.pids)
                case RequestType.PIDS:
                    portion = self._pids(request.start)
                case RequestType.SOCKETS:
                    portion = self._sockets(request.pid, request.start)
                case RequestType.LINK:
                    link = proc.process_link(request.pid, request.file, self._root)
                case RequestType.NAMES:
                    names = self._names(request.start)
                case _:
                    descriptors = [proc.open_file(f"{self._root}/{request.pid}/{request.file}")]
        except OSError as error:
            failed = error.errno or errno.EIO
        reply = BrokerReply(
            request.number, failed, time.process_time_ns(), portion=portion, link=link, names=names
        )
        return reply, descriptors

    def _sockets(self, pid: int, start: int) -> Portion:
        if start == 0 or self._listed[0] != pid:
            self._listed = (pid, *proc.descriptors(pid, self._root))
        _, path, names = self._listed
        directory = proc.open_directory(path)
        try:
            end = start + self._max_per_reply
            inodes = proc.socket_inodes(directory, names[start:end])
        finally:
            os.close(directory)
        return Portion(inodes, end if end < len(names) else 0)

    def _namespaces(self, pids: Iterable[int]) -> Portion:
        numbers: list[int] = []
        for pid in pids:
            # A process that has ended, or that this one may not trace.
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                inode = proc.network_namespace(pid, self._root)
                if inode is not None:
                    numbers += (pid, inode)
        return Portion(numbers)

    def _names(self, start: int) -> Sequence[NamedNamespace]:
        return self._named.find()[start : start + MAX_NAMES]

    def _pids(self, start: int) -> Portion:
        """List a portion of the processes whose numbers are greater than `start`."""
        pids = sorted(pid for pid in proc.pids(self._root) if pid > start)
        portion = pids[: self._max_per_reply]
        return Portion(portion, portion[-1] if len(portion) < len(pids) else 0)


def serve(channel: socket.socket) -> None:
    """Be the broker at this socket until the other side has closed its own. Raises OSError."""
    BrokerServer(NamespaceSwitcher()).serve(channel)


def _set_receive_timeout(channel: socket.socket, seconds: int) -> None:
    """Let recv() fail with EAGAIN after so many seconds, 0 for never (SO_RCVTIMEO, socket(7))."""
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.pack(seconds, 0))


def _receive_timeout(channel: socket.socket) -> int:
    value = channel.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.size)
    seconds: int = _TIMEVAL.unpack(value)[0]
    return seconds


def _peer(channel: socket.socket) -> int:
    """Return the process that made the pair of sockets (SO_PEERCRED, unix(7))."""
    credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(credentials)[0]
    return pid


def _send(channel: socket.socket, reply: BrokerReply, descriptors: list[int]) -> None:
    try:
        socket.send_fds(channel, [wire.pack_reply(reply)], descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
