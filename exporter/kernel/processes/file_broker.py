"""Asking the file broker, which reads what may hang. Where it does that takes seconds: no sample may wait."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from exporter.broker import file_wire
from exporter.broker.file_wire import FileReply, FileRequest
from exporter.broker.host_files import HostFile
from exporter.broker.process_files import FileContent, ProcessFile
from exporter.broker.socket_file import BoundSocket, SocketFile
from exporter.broker.wire import BROKER_ENDED, MAX_MESSAGE_BYTES, MalformedMessageError, next_number
from exporter.kernel.errors import AccessHungError, BrokerUnavailableError

# A broker that hangs is killed after two seconds, and one that cannot be killed is given up a second later.
TIMEOUT_SECONDS: Final = 4.0
# How long it is not asked again where it has not answered at all.
_SILENCE_SECONDS: Final = 10.0
_TIMEVAL: Final = struct.Struct("@ll")
_WHAT: Final = "cannot read files of processes"
_WHAT_OF_HOST: Final = "cannot read a file of this host"


class FileBrokerClient:
    """Asks the file broker, for one thread at a time.

    Methods raise AccessHungError where a file could not be read in time, BrokerUnavailableError where the
    broker is lost, and OSError where a system call of it failed.

    `ended` counts brokers that ended, `hung` those of them that had hung.
    """

    def __init__(
        self,
        channel: socket.socket,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what `supervisor.start` returned, and a clock in monotonic seconds."""
        self.ended = 0
        self.hung = 0
        seconds = int(timeout_seconds)
        timeout = _TIMEVAL.pack(seconds, round((timeout_seconds - seconds) * 1e6))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            channel.setsockopt(socket.SOL_SOCKET, option, timeout)
        self._channel = channel
        self._clock = clock
        self._lock = threading.Lock()
        self._number = BROKER_ENDED
        self._silent_until = float("-inf")
        # Of the broker that runs, as its last reply says, and of those before it.
        self._processor_ns = 0
        self._ended_processor_ns = 0

    def seconds(self) -> float:
        """Return the processor time that file brokers have used until the last reply."""
        return (self._ended_processor_ns + self._processor_ns) / 1e9

    def close(self) -> None:
        """Close the socket, which ends brokers and supervisor."""
        self._channel.close()

    def read(self, pid: int, started: int, file: ProcessFile) -> FileContent:
        """Return the content of a file of the process that started at `started`, in clock ticks."""
        return self._read(f"cannot read {file.name} of process {pid}", FileRequest(0, pid, started, file))

    def read_host_file(self, file: HostFile) -> bytes:
        """Return the content of a file of this host; of a directory the names in it, separated by NUL."""
        return self._read(_WHAT_OF_HOST, FileRequest(0, 0, 0, file)).content

    def _read(self, what: str, request: FileRequest) -> FileContent:
        with self._lock:
            number = self._send(request)
            parts = [self._receive_content(what, number)]
            while parts[-1][1]:
                parts.append(self._receive_content(what, number))
        return replace(parts[0][0], content=b"".join(part.content for part, _ in parts))

    def find_socket(self, pid: int, started: int, bound: BoundSocket) -> SocketFile:
        """Return where the file of a socket lies that the process which started at `started` holds."""
        what = f"cannot look for {os.fsdecode(bound.path)!r} of process {pid}"
        with self._lock:
            reply = self._receive_reply(what, self._send(FileRequest(0, pid, started, bound)))
        if not isinstance(reply.found, SocketFile):
            raise _malformed("not the reply to this request")
        return reply.found

    def _receive_content(self, what: str, number: int) -> tuple[FileContent, bool]:
        reply = self._receive_reply(what, number)
        if not isinstance(reply.found, FileContent):
            raise _malformed("not the reply to this request")
        return reply.found, reply.more

    def _send(self, request: FileRequest) -> int:
        """Send a request with a new number, and return the number."""
        received = self._discard_received()
        if not received and self._clock() < self._silent_until:
            raise BrokerUnavailableError(_WHAT, "the file broker does not answer")
        self._number = next_number(self._number)
        try:
            self._channel.send(file_wire.pack_request(replace(request, number=self._number)))
        except OSError as error:
            raise BrokerUnavailableError(_WHAT, "the file broker is gone") from error
        return self._number

    def _discard_received(self) -> bool:
        """Drop late replies, and the message that a broker has ended; return whether there were any."""
        received = False
        while True:
            try:
                self._receive(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return received
            received = True

    def _receive_reply(self, what: str, number: int) -> FileReply:
        """Wait for a reply to a request."""
        while True:
            try:
                reply = self._receive()
            except BlockingIOError as error:
                self._silent_until = self._clock() + _SILENCE_SECONDS
                raise BrokerUnavailableError(_WHAT, "the file broker does not answer") from error
            if reply.number == BROKER_ENDED:
                if reply.errno == errno.ETIMEDOUT:
                    raise AccessHungError(what)
                raise BrokerUnavailableError(_WHAT, "the file broker ended")
            if reply.number == number:
                if reply.errno:
                    raise OSError(reply.errno, os.strerror(reply.errno))
                return reply

    def _receive(self, flags: int = 0) -> FileReply:
        """Receive a message. Raises BlockingIOError or BrokerUnavailableError."""
        try:
            message = self._channel.recv(MAX_MESSAGE_BYTES, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            # ECONNRESET, where brokers and supervisor ended with a request unread.
            raise BrokerUnavailableError(_WHAT, "the file broker is gone") from error
        if not message:
            raise BrokerUnavailableError(_WHAT, "the file broker is gone, and so is its supervisor")
        try:
            reply = file_wire.unpack_reply(message)
        except MalformedMessageError as error:
            raise _malformed(str(error)) from error
        if reply.number == BROKER_ENDED:
            self.ended += 1
            self.hung += reply.errno == errno.ETIMEDOUT
            self._ended_processor_ns += self._processor_ns
        self._processor_ns = reply.processor_ns
        return reply


def _malformed(why: str) -> BrokerUnavailableError:
    return BrokerUnavailableError(_WHAT, f"the file broker sent a malformed message: {why}")
