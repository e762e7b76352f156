"""The file broker: it answers what may hang, one request after the other, and is killed where it does.

It looks at files whose file systems others may serve, so each request has a time limit, and its supervisor
ends and replaces a broker that exceeds it. It changes nothing, and parses nothing of what it reads but the
start of a process.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from exporter.broker import file_wire
from exporter.broker.access_timer import AccessTimer
from exporter.broker.capabilities import Capability
from exporter.broker.file_wire import FileReply, FileRequest
from exporter.broker.host_files import HostFileReader
from exporter.broker.process_files import ProcessFile, ProcessFileReader
from exporter.broker.socket_file import BoundSocket, find_socket
from exporter.broker.wire import MAX_MESSAGE_BYTES, MalformedMessageError

# The time that a request has. A file server in the network answers sooner, also on a busy machine.
ACCESS_SECONDS: Final = 2.0
# What it takes to go below the root of another user's process; no namespace is entered.
CAPABILITIES: Final = frozenset({Capability.SYS_PTRACE, Capability.DAC_READ_SEARCH})


class FileServer:
    """Answers requests with the replies that `file_wire` describes."""

    def __init__(
        self, reader: ProcessFileReader, timer: AccessTimer, host_files: HostFileReader | None = None
    ) -> None:
        """Take what reads files of processes and of the host, and the timer that the supervisor watches."""
        self._reader = reader
        self._host_files = HostFileReader() if host_files is None else host_files
        self._timer = timer

    def serve(self, channel: socket.socket) -> None:
        """Answer until the other side has closed its socket, or was killed. Raises OSError."""
        with suppress(BrokenPipeError, ConnectionResetError):
            while message := channel.recv(MAX_MESSAGE_BYTES):
                for reply in self.answer(message):
                    channel.send(file_wire.pack_reply(reply))

    def answer(self, message: bytes) -> Iterable[FileReply]:
        """Return the replies to a message; one that is no request is not answered."""
        try:
            request = file_wire.unpack_request(message)
        except MalformedMessageError:
            return ()
        with self._timer.limited():
            return self._answer(request)

    def _answer(self, request: FileRequest) -> Iterable[FileReply]:
        number, failed, found = request.number, 0, None
        try:
            match request.subject:
                case BoundSocket() as bound:
                    found = find_socket(self._reader, request.pid, request.started, bound)
                case ProcessFile() as file:
                    content = self._reader.read(request.pid, request.started, file)
                    return file_wire.content_replies(number, time.process_time_ns(), content)
                case host_file:
                    content = self._host_files.read(host_file)
                    return file_wire.content_replies(number, time.process_time_ns(), content)
        except OSError as error:
            failed = error.errno or errno.EIO
        return (FileReply(number, failed, time.process_time_ns(), found),)


def serve_files(channel: socket.socket, timer: AccessTimer, named: Sequence[str] = ()) -> None:
    """Be the file broker at this socket until the other side has closed its own.

    `named` are the absolute paths of files that the user has named. Raises OSError.
    """
    FileServer(ProcessFileReader(), timer, HostFileReader(named)).serve(channel)
