"""Asking the broker, from the process without capabilities."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from exporter.broker import wire
from exporter.broker.wire import (
    BROKER_ENDED,
    BrokerReply,
    BrokerRequest,
    MalformedMessageError,
    NamespaceTarget,
    Portion,
    RequestType,
)
from exporter.kernel.errors import BrokerUnavailableError

# A broker that does not answer for this long is given up. A portion of descriptors takes it longest.
TIMEOUT_SECONDS: Final = 0.5
# How long it is not asked again then, unless it sends something.
_SILENCE_SECONDS: Final = 10.0
_TIMEVAL: Final = struct.Struct("@ll")
_DESCRIPTOR: Final = struct.Struct("=i")
_ANCILLARY_BYTES: Final = socket.CMSG_LEN(wire.MAX_DESCRIPTORS * _DESCRIPTOR.size)

_ENTER: Final = "cannot enter network namespaces"
_NAMESPACES: Final = "cannot look for network namespaces"
_PIDS: Final = "cannot list the processes"


class OpenedDescriptors:
    """What was opened in one namespace: a sock_diag socket, and files by their path below /proc.

    `seconds` is the processor time that the broker used.
    """

    def __init__(self, diag: int, seconds: float, files: dict[str, int]) -> None:
        self.seconds = seconds
        self._diag = diag
        self._files = files

    def release(self) -> tuple[int, dict[str, int]]:
        """Return the descriptors of the socket and of the files, for the caller to close."""
        diag, files = self._diag, self._files
        self._diag, self._files = -1, {}
        return diag, files

    def close(self) -> None:
        """Close what was not released."""
        diag, files = self.release()
        if diag >= 0:
            _close((diag, *files.values()))


class BrokerClient:
    """Asks the broker; one thread uses it.

    `may_enter` tells whether the broker can enter namespaces, `ended` counts brokers that ended. Methods
    raise BrokerUnavailableError where the broker is lost, and OSError where a system call of it failed.
    """

    def __init__(
        self,
        channel: socket.socket,
        *,
        may_enter: bool = True,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the socket that `supervisor.start` returned, and a clock in monotonic seconds."""
        self.may_enter = may_enter
        self.ended = 0
        seconds = int(timeout_seconds)
        timeout = _TIMEVAL.pack(seconds, round((timeout_seconds - seconds) * 1e6))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            channel.setsockopt(socket.SOL_SOCKET, option, timeout)
        self._channel = channel
        self._clock = clock
        self._number = BROKER_ENDED
        # Until when a broker that did not answer is left alone.
        self._silent_until: float | None = None
        self._processor_ns = 0

    def seconds(self) -> float:
        """Return the processor time that the broker has used to answer."""
        return self._processor_ns / 1e9

    def close(self) -> None:
        """Close the socket, which ends broker and supervisor."""
        self._channel.close()

    def enter(self, targets: Sequence[NamespaceTarget]) -> Iterator[OpenedDescriptors | OSError]:
        """Enter each of at most MAX_TARGETS namespaces, and yield what was opened there, or why nothing was.

        Every reply has been read before the first is yielded, so other requests may be made meanwhile.
        The caller closes what is yielded; what is not yielded is closed here.
        """
        arrived: deque[OpenedDescriptors | OSError] = deque()
        try:
            number = self._send(_ENTER, BrokerRequest(0, RequestType.ENTER, tuple(targets)))
            arrived.extend(self._opened(number) for _ in targets)
            while arrived:
                yield arrived.popleft()
        finally:
            for left in arrived:
                if isinstance(left, OpenedDescriptors):
                    left.close()

    def namespaces(self) -> dict[int, int]:
        """Return a process in each network namespace, by the inode of the namespace."""
        found: dict[int, int] = {}
        for numbers in self._portions(_NAMESPACES, BrokerRequest(0, RequestType.NAMESPACES)):
            for inode, pid in zip(numbers[::2], numbers[1::2], strict=True):
                found.setdefault(inode, pid)
        return found

    def pids(self) -> list[int]:
        """Return every process there is."""
        request = BrokerRequest(0, RequestType.PIDS)
        return [pid for numbers in self._portions(_PIDS, request) for pid in numbers]

    def sockets(self, pid: int) -> Iterator[Sequence[int]]:
        """Yield the inodes of a process's sockets, in portions."""
        request = BrokerRequest(0, RequestType.SOCKETS, pid=pid)
        yield from self._portions(f"cannot read /proc/{pid}/fd", request)

    def open_of_process(self, pid: int, name: str) -> int:
        """Open one of PROCESS_FILES and return the descriptor, for the caller to close."""
        what = f"cannot read /proc/{pid}/{name}"
        number = self._send(what, BrokerRequest(0, RequestType.FILE, pid=pid, file=name))
        reply, descriptors = self._receive_reply(what, number)
        failed = _failure(reply, descriptors, 1)
        if failed is not None:
            raise failed
        return descriptors[0]

    def _opened(self, number: int) -> OpenedDescriptors | OSError:
        reply, descriptors = self._receive_reply(_ENTER, number)
        failed = _failure(reply, descriptors, 1 + len(reply.opened))
        if failed is not None:
            return failed
        files = dict(zip(reply.opened, descriptors[1:], strict=True))
        return OpenedDescriptors(descriptors[0], reply.processor_ns / 1e9, files)

    def _portions(self, what: str, request: BrokerRequest) -> Iterator[Sequence[int]]:
        start = 0
        while True:
            number = self._send(what, replace(request, start=start))
            reply, descriptors = self._receive_reply(what, number)
            _close(descriptors)
            if reply.errno:
                raise OSError(reply.errno, os.strerror(reply.errno))
            portion = reply.portion or Portion(())
            yield portion.numbers
            start = portion.following
            if start == 0:
                return

    def _send(self, what: str, request: BrokerRequest) -> int:
        """Send a request with a new number, and return the number.

        A broker that did not answer is not asked again for some seconds, unless it has sent something since:
        the sampling thread cannot wait for it each time.
        """
        received = self._discard_received(what)
        if not received and self._silent_until is not None and self._clock() < self._silent_until:
            raise BrokerUnavailableError(what, "the broker does not answer")
        self._silent_until = None
        self._number = wire.next_number(self._number)
        try:
            self._channel.send(wire.pack_request(replace(request, number=self._number)))
        except OSError as error:
            raise BrokerUnavailableError(what, "the broker is gone") from error
        return self._number

    def _discard_received(self, what: str) -> bool:
        """Drop late replies, and the message that a broker has ended; return whether there were any."""
        received = False
        while True:
            try:
                _, descriptors = self._receive(what, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return received
            _close(descriptors)
            received = True

    def _receive_reply(self, what: str, number: int) -> tuple[BrokerReply, list[int]]:
        """Wait for a reply to a request."""
        while True:
            try:
                reply, descriptors = self._receive(what)
            except BlockingIOError as error:
                self._silent_until = self._clock() + _SILENCE_SECONDS
                raise BrokerUnavailableError(what, "the broker does not answer") from error
            if reply.number == number:
                return reply, descriptors
            _close(descriptors)
            if reply.number == BROKER_ENDED:
                raise BrokerUnavailableError(what, "the broker ended")

    def _receive(self, what: str, flags: int = 0) -> tuple[BrokerReply, list[int]]:
        """Receive a message. Raises BlockingIOError or BrokerUnavailableError."""
        # socket.recv_fds() of Python 3.11 takes flags and ignores them.
        try:
            message, ancillary, _, _ = self._channel.recvmsg(
                wire.MAX_MESSAGE_BYTES, _ANCILLARY_BYTES, flags | socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            raise
        except OSError as error:
            # ECONNRESET, where broker and supervisor ended with a request unread.
            raise BrokerUnavailableError(what, "the broker is gone, and so is its supervisor") from error
        descriptors = [number for *_, data in ancillary for (number,) in _DESCRIPTOR.iter_unpack(data)]
        if not message:
            raise BrokerUnavailableError(what, "the broker is gone, and so is its supervisor")
        try:
            reply = wire.unpack_reply(message)
        except MalformedMessageError as error:
            _close(descriptors)
            raise BrokerUnavailableError(what, f"the broker sent a malformed message: {error}") from error
        self.ended += reply.number == BROKER_ENDED
        self._processor_ns += reply.processor_ns
        return reply, descriptors


def _failure(reply: BrokerReply, descriptors: Sequence[int], expected: int) -> OSError | None:
    """Return the error of a reply, after closing what came with it; None where there is none."""
    if reply.errno:
        failed = reply.errno
    elif len(descriptors) == expected:
        return None
    else:
        # The kernel drops what this process has no free descriptor for (MSG_CTRUNC, recvmsg(2)).
        failed = errno.EMFILE
    _close(descriptors)
    return OSError(failed, os.strerror(failed))


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
