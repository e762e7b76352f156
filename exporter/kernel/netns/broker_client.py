"""Asking the broker, from the process without capabilities."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from exporter.broker import wire
from exporter.broker.wire import (
    BROKER_ENDED,
    BrokerReply,
    BrokerRequest,
    MalformedMessageError,
    NamespaceTarget,
    RequestType,
)

# A broker that says nothing for this long is lost. What takes it longest is a portion of descriptors.
_PATIENCE: Final = struct.pack("@ll", 0, 500_000)
# How long it is left alone then, if it stays silent.
_SILENCE_SECONDS: Final = 10.0
_DESCRIPTOR = struct.Struct("=i")
_ANCILLARY_BYTES: Final = socket.CMSG_LEN((1 + len(wire.NAMESPACE_FILES)) * _DESCRIPTOR.size)
_NEXT = struct.Struct("=I")
_PAIR = struct.Struct("=QI")


class BrokerLostError(OSError):
    """The broker ended, or does not answer. It is started again by itself."""


@dataclass(slots=True)
class OpenedDescriptors:
    """What was opened in one namespace, still to be closed. `files` are descriptors by name.

    `seconds` is the processor time that the broker took.
    """

    diag: int
    seconds: float
    files: dict[str, int] = field(default_factory=dict)

    def close(self) -> None:
        """Close what nobody has taken."""
        for descriptor in (self.diag, *self.files.values()):
            if descriptor >= 0:
                os.close(descriptor)
        self.diag, self.files = -1, {}


class BrokerClient:
    """The broker, as one thread asks it. `ended` counts brokers that were lost."""

    def __init__(self, channel: socket.socket, *, may_enter: bool = True) -> None:
        """Take the socket that `keeper.start` returned; `may_enter` tells whether it can enter namespaces."""
        self.may_enter = may_enter
        for timeout in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            channel.setsockopt(socket.SOL_SOCKET, timeout, _PATIENCE)
        self._channel = channel
        self._number = BROKER_ENDED
        self._ask_again_at = float("-inf")
        self._processor_ns = 0
        self.ended = 0

    def seconds(self) -> float:
        """Return the processor time that the broker has used to answer."""
        return self._processor_ns / 1e9

    def close(self) -> None:
        """Let the broker go, which ends it."""
        self._channel.close()

    def enter(self, targets: Sequence[NamespaceTarget]) -> Iterator[OpenedDescriptors | OSError]:
        """Enter each of at most MOST_ENTRIES namespaces and yield what was opened there, or why nothing was.

        Every reply has been read before the first is yielded, so other questions may be asked meanwhile.
        Whoever takes an Opened closes it; those that nobody takes are closed here. Raises BrokerLostError.
        """
        arrived: deque[OpenedDescriptors | OSError] = deque()
        try:
            number = self._ask(RequestType.ENTER, targets=tuple(targets))
            arrived.extend(self._opened(number) for _ in targets)
            while arrived:
                yield arrived.popleft()
        finally:
            for left in arrived:
                if isinstance(left, OpenedDescriptors):
                    left.close()

    def namespaces(self) -> dict[int, int]:
        """Return a process of each network namespace, by the inode of the namespace. Raises OSError."""
        found: dict[int, int] = {}
        for portion in self._portions(RequestType.NAMESPACES):
            for inode, pid in _PAIR.iter_unpack(portion):
                found.setdefault(inode, pid)
        return found

    def pids(self) -> list[int]:
        """Return every process there is. Raises OSError."""
        return [
            pid
            for portion in self._portions(RequestType.PIDS)
            for (pid,) in struct.iter_unpack("=I", portion)
        ]

    def sockets(self, pid: int) -> Iterator[list[int]]:
        """Yield the inodes of a process's sockets, in portions. Raises OSError."""
        for portion in self._portions(RequestType.SOCKETS, pid):
            yield [inode for (inode,) in struct.iter_unpack("=Q", portion)]

    def open_of_process(self, pid: int, name: str) -> int:
        """Open one of PROCESS_FILES and return the descriptor. Raises OSError."""
        number = self._ask(RequestType.FILE, pid=pid, start=wire.PROCESS_FILES.index(name))
        reply, descriptors = self._reply(number)
        failed = _failure(reply, descriptors, 1)
        if failed is not None:
            raise failed
        return descriptors[0]

    def _opened(self, number: int) -> OpenedDescriptors | OSError:
        reply, descriptors = self._reply(number)
        names = [name for bit, name in enumerate(wire.NAMESPACE_FILES) if reply.opened >> bit & 1]
        failed = _failure(reply, descriptors, 1 + len(names))
        if failed is not None:
            return failed
        diag, *files = descriptors
        return OpenedDescriptors(diag, reply.processor_ns / 1e9, dict(zip(names, files, strict=True)))

    def _portions(self, kind: RequestType, pid: int = 0) -> Iterator[bytes]:
        start = 0
        while True:
            reply, _ = self._reply(self._ask(kind, pid=pid, start=start))
            if reply.errno:
                raise OSError(reply.errno, os.strerror(reply.errno))
            yield reply.payload[_NEXT.size :]
            (start,) = _NEXT.unpack_from(reply.payload)
            if start == 0:
                return

    def _ask(
        self, kind: RequestType, targets: tuple[NamespaceTarget, ...] = (), pid: int = 0, start: int = 0
    ) -> int:
        """Send a request and return its number.

        A broker that did not answer is left alone for a while, unless it has said something since: whoever
        asks has more to do than to wait.
        """
        if not self._forget_what_came() and time.monotonic() < self._ask_again_at:
            raise BrokerLostError("the broker does not answer")
        self._ask_again_at = float("-inf")
        self._number = self._number % 0xFFFFFFFF + 1
        request = BrokerRequest(self._number, kind, targets, pid, start)
        try:
            self._channel.send(wire.pack_request(request))
        except OSError as error:
            raise BrokerLostError(error.errno, "the broker is gone") from error
        return self._number

    def _forget_what_came(self) -> bool:
        """Drop replies that nobody waited for, and the news of a broker that ended; tell whether any came."""
        came = False
        while True:
            try:
                _, descriptors = self._receive(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return came
            _close(descriptors)
            came = True

    def _reply(self, number: int) -> tuple[BrokerReply, list[int]]:
        """Wait for a reply to a request."""
        while True:
            try:
                reply, descriptors = self._receive()
            except BlockingIOError as error:
                self._ask_again_at = time.monotonic() + _SILENCE_SECONDS
                raise BrokerLostError("the broker does not answer") from error
            if reply.number == number:
                return reply, descriptors
            _close(descriptors)
            if reply.number == BROKER_ENDED:
                raise BrokerLostError("the broker ended")

    def _receive(self, flags: int = 0) -> tuple[BrokerReply, list[int]]:
        # socket.recv_fds() of Python 3.11 takes flags and forgets them.
        try:
            message, ancillary, _, _ = self._channel.recvmsg(
                wire.MAX_MESSAGE_BYTES, _ANCILLARY_BYTES, flags | socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            raise
        except OSError as error:
            # ECONNRESET, where both ended with a request unread.
            raise BrokerLostError(error.errno, "the broker is gone, and so is who starts it") from error
        descriptors = [number for *_, data in ancillary for (number,) in _DESCRIPTOR.iter_unpack(data)]
        if not message:
            raise BrokerLostError("the broker is gone, and so is who starts it")
        try:
            reply = wire.unpack_reply(message)
        except MalformedMessageError as error:
            _close(descriptors)
            raise BrokerLostError(f"the broker talks nonsense: {error}") from error
        self.ended += reply.number == BROKER_ENDED
        self._processor_ns += reply.processor_ns
        return reply, descriptors


def _failure(reply: BrokerReply, descriptors: Sequence[int], expected: int) -> OSError | None:
    """Return why a reply is of no use, after closing what came with it; None where it is."""
    if reply.errno:
        failed = reply.errno
    elif len(descriptors) == expected:
        return None
    else:
        # The kernel keeps back what this process has no number for (MSG_CTRUNC, recvmsg(2)).
        failed = errno.EMFILE
    _close(descriptors)
    return OSError(failed, os.strerror(failed))


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
