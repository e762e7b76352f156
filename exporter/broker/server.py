"""The broker itself: it answers five kinds of request, and looks at nothing of what it opens."""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import time
from collections.abc import Generator
from contextlib import closing, suppress

from exporter.broker import wire
from exporter.broker.switcher import NamespaceSwitcher, open_here
from exporter.broker.wire import BrokerReply, BrokerRequest, MalformedMessageError, RequestType

_NAMESPACE = re.compile(r"net:\[(\d+)\]")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_NEXT = struct.Struct("=I")
_PAIR = struct.Struct("=QI")
Answer = tuple[BrokerReply, list[int]]


def serve(channel: socket.socket) -> None:
    """Answer until the other side is gone."""
    server = Server(NamespaceSwitcher())
    with suppress(BrokenPipeError, ConnectionResetError):
        while request := channel.recv(wire.MAX_MESSAGE_BYTES):
            with closing(server.answer(request)) as answers:
                for reply, descriptors in answers:
                    _send(channel, reply, descriptors)


def _send(channel: socket.socket, reply: BrokerReply, descriptors: list[int]) -> None:
    try:
        socket.send_fds(channel, [wire.pack_reply(reply)], descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


class Server:
    """Answers requests, each with the replies that `wire` describes."""

    def __init__(self, entrance: NamespaceSwitcher) -> None:
        """Take the way into other namespaces."""
        self._entrance = entrance
        # Of the process that was asked for last, so that its descriptors are listed once for all portions.
        self._listed: tuple[int, list[str]] = (0, [])

    def answer(self, message: bytes) -> Generator[Answer, None, None]:
        """Yield the replies to a message; one that is no request is not answered."""
        with suppress(MalformedMessageError):
            request = wire.unpack_request(message)
            if request.kind is RequestType.ENTER:
                yield from self._enter(request)
            else:
                yield self._look(request)

    def _enter(self, request: BrokerRequest) -> Generator[Answer, None, None]:
        with self._entrance.entered():
            for target in request.targets:
                started = time.thread_time_ns()
                try:
                    self._entrance.enter(target)
                    opened, descriptors = open_here(target.files)
                except OSError as error:
                    yield BrokerReply(request.number, error.errno or errno.EIO), []
                else:
                    yield BrokerReply(request.number, 0, time.thread_time_ns() - started, opened), descriptors

    def _look(self, request: BrokerRequest) -> Answer:
        started = time.thread_time_ns()
        descriptors: list[int] = []
        payload = b""
        failed = 0
        try:
            match request.kind:
                case RequestType.NAMESPACES:
                    payload = _namespaces(request.start)
                case RequestType.PIDS:
                    payload = _numbers(*_pids(request.start))
                case RequestType.SOCKETS:
                    payload = self._sockets(request.pid, request.start)
                case _:
                    descriptors = [_process_file(request.pid, request.start)]
        except OSError as error:
            failed = error.errno or errno.EIO
        return BrokerReply(request.number, failed, time.thread_time_ns() - started, 0, payload), descriptors

    def _sockets(self, pid: int, start: int) -> bytes:
        directory = f"/proc/{pid}/fd"
        if start == 0 or self._listed[0] != pid:
            self._listed = (pid, os.listdir(directory))  # noqa: PTH208  (names are all that is needed)
        names = self._listed[1][start : start + wire.MAX_PER_REPLY]
        inodes = []
        for name in names:
            with suppress(FileNotFoundError):
                if match := _SOCKET.fullmatch(os.readlink(f"{directory}/{name}")):  # noqa: PTH115
                    inodes.append(int(match[1]))
        after = start + len(names) if start + len(names) < len(self._listed[1]) else 0
        return _NEXT.pack(after) + struct.pack(f"={len(inodes)}Q", *inodes)


def _namespaces(start: int) -> bytes:
    """Find the namespaces of a portion of the processes: the inode of each, and its first process."""
    pids, after = _pids(start)
    found: dict[int, int] = {}
    for pid in pids:
        # It has ended, or is a zombie without a namespace; what may not be seen is not there either.
        with suppress(OSError):
            if match := _NAMESPACE.fullmatch(os.readlink(f"/proc/{pid}/ns/net")):  # noqa: PTH115
                found.setdefault(int(match[1]), pid)
    return _NEXT.pack(after) + b"".join(_PAIR.pack(inode, pid) for inode, pid in found.items())


def _pids(start: int) -> tuple[list[int], int]:
    """List a portion of the processes after `start`, and where the next portion begins; 0 is nowhere."""
    pids = sorted(pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if pid > start)  # noqa: PTH208
    portion = pids[: wire.MAX_PER_REPLY]
    return portion, portion[-1] if len(portion) < len(pids) else 0


def _numbers(numbers: list[int], after: int) -> bytes:
    return _NEXT.pack(after) + struct.pack(f"={len(numbers)}I", *numbers)


def _process_file(pid: int, which: int) -> int:
    if which >= len(wire.PROCESS_FILES):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return os.open(f"/proc/{pid}/{wire.PROCESS_FILES[which]}", os.O_RDONLY | os.O_CLOEXEC)
