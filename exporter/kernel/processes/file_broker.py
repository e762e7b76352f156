"""Asking the file broker, which reads what may hang. Where it does that takes seconds: no sample may wait."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Final

from exporter.broker import file_wire
from exporter.broker.file_wire import MAX_SOCKETS, FileReply, FileRequest
from exporter.broker.host_files import HostFile
from exporter.broker.process_files import FileContent, ProcessFile
from exporter.broker.socket_file import HeldSocket, SocketFile
from exporter.kernel.broker_channel import BrokerChannel
from exporter.kernel.errors import KernelError, from_os_error

# A broker that hangs is killed after two seconds, and one that cannot be killed is given up a second later.
TIMEOUT_SECONDS: Final = 4.0
_WHAT_OF_HOST: Final = "cannot read a file of this host"


class FileBrokerClient:
    """Asks the file broker, for one thread at a time.

    Methods raise AccessHungError where a file could not be read in time, BrokerUnavailableError where the
    broker is lost, and OSError where a system call of it failed.
    """

    def __init__(
        self,
        channel: socket.socket,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what `supervisor.start` returned, and a clock in monotonic seconds."""
        self._channel = BrokerChannel(channel, "file broker", file_wire.unpack_reply, timeout_seconds, clock)
        self._lock = threading.Lock()

    @property
    def ended(self) -> int:
        """How many brokers have ended."""
        return self._channel.ended

    @property
    def hung(self) -> int:
        """How many of those that have ended had hung."""
        return self._channel.hung

    def seconds(self) -> float:
        """Return the processor time that file brokers have used until the last reply."""
        return self._channel.seconds()

    def close(self) -> None:
        """Close the socket, which ends the broker."""
        self._channel.close()

    def read(self, pid: int, started: int, file: ProcessFile) -> FileContent:
        """Return the content of a file of the process that started at `started`, in clock ticks."""
        return self._read(f"cannot read {file.name} of process {pid}", FileRequest(0, pid, started, file))

    def read_host_file(self, file: HostFile) -> bytes:
        """Return the content of a file of this host; of a directory the names in it, separated by NUL."""
        return self._read(_WHAT_OF_HOST, FileRequest(0, 0, 0, file)).content

    def find_sockets(self, held: Sequence[HeldSocket]) -> list[SocketFile | KernelError]:
        """Return where the files of the first of these sockets lie, at least of one, in their order.

        Where the broker hangs or is lost, that is the answer for the sockets of the process that it was
        looking at, as far as they follow one another, and the last.
        """
        held = held[:MAX_SOCKETS]
        found: list[SocketFile | KernelError] = []
        with self._lock:
            try:
                number = self._send(_what(held[0]), FileRequest(0, 0, 0, tuple(held)))
                while self._receive_sockets(number, held, found):
                    pass
            except KernelError as error:
                found += _of_first_process(held[len(found) :], error)
            except OSError as error:
                left = held[len(found) :]
                found += _of_first_process(left, from_os_error(_what(left[0]), error))
        return found

    def _receive_sockets(
        self, number: int, held: Sequence[HeldSocket], found: list[SocketFile | KernelError]
    ) -> bool:
        """Add the sockets of one reply to `found`; return whether there is another reply."""
        left = len(held) - len(found)
        what = _what(held[len(found)])
        reply = self._receive(what, number)
        if not isinstance(reply.found, tuple):
            raise self._channel.malformed(what, "not the reply to this request")
        if not 0 < len(reply.found) <= left - reply.more:
            raise self._channel.malformed(what, f"{len(reply.found)} of {left} sockets")
        found += reply.found
        return reply.more

    def _read(self, what: str, request: FileRequest) -> FileContent:
        with self._lock:
            number = self._send(what, request)
            parts = [self._receive_content(what, number)]
            while parts[-1][1]:
                parts.append(self._receive_content(what, number))
        return replace(parts[0][0], content=b"".join(part.content for part, _ in parts))

    def _receive_content(self, what: str, number: int) -> tuple[FileContent, bool]:
        reply = self._receive(what, number)
        if not isinstance(reply.found, FileContent):
            raise self._channel.malformed(what, "not the reply to this request")
        return reply.found, reply.more

    def _send(self, what: str, request: FileRequest) -> int:
        """Send a request with a new number, and return the number."""
        return self._channel.send(
            what, lambda number: file_wire.pack_request(replace(request, number=number))
        )

    def _receive(self, what: str, number: int) -> FileReply:
        reply, _ = self._channel.receive(what, number)
        if reply.errno:
            raise OSError(reply.errno, os.strerror(reply.errno))
        return reply


def _what(held: HeldSocket) -> str:
    return f"cannot look for the sockets of process {held.pid}, as {os.fsdecode(held.bound.path)!r}"


def _of_first_process(held: Sequence[HeldSocket], error: KernelError) -> list[KernelError]:
    """Return an error for each of the first of these sockets that are of one process."""
    return [error for _ in takewhile(lambda each: each[:2] == held[0][:2], held)]
