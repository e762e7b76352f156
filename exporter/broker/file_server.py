"""The file broker: it answers what may hang, one request after the other, and is killed where it does.

It looks at files whose file systems others may serve, so each request has a time limit, and its supervisor
ends and replaces a broker that exceeds it. It changes nothing, and parses nothing of what it reads but the
start of a process, its parent and its numbers in PID namespaces.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import groupby
from operator import itemgetter
from typing import Final

from exporter.broker import file_wire
from exporter.broker.access_timer import AccessTimer
from exporter.broker.capabilities import Capability
from exporter.broker.file_wire import MAX_CONTENT_BYTES, FileReply, FileRequest
from exporter.broker.host_files import HostFile, HostFileReader
from exporter.broker.process_files import ProcessFile, ProcessFileReader
from exporter.broker.socket_file import BoundSocket, HeldSocket, SocketFile, find_sockets
from exporter.broker.wire import MAX_MESSAGE_BYTES, MalformedMessageError

# The time that each file has. A file server in the network answers sooner, also on a busy machine.
ACCESS_SECONDS: Final = 2.0
# After this time no other socket of a request is looked for: where each takes long, whoever asks has to see
# that none of them hangs.
SOCKETS_SECONDS: Final = 0.5
_PROCESS: Final = itemgetter(0, 1)
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
        if isinstance(request.subject, tuple):
            return self._find_sockets(request.number, request.subject)
        with self._timer.limited():
            return self._read(request, request.subject)

    def _read(self, request: FileRequest, file: ProcessFile | HostFile) -> Iterable[FileReply]:
        try:
            if isinstance(file, ProcessFile):
                content = self._reader.read(request.pid, request.started, file)
            else:
                content = self._host_files.read(file)
        except OSError as error:
            return (FileReply(request.number, error.errno or errno.EIO, time.process_time_ns()),)
        return file_wire.content_replies(request.number, time.process_time_ns(), content)

    def _find_sockets(self, number: int, sockets: Sequence[HeldSocket]) -> Iterator[FileReply]:
        """Yield the answers for the first of these sockets, as far as the time goes.

        Those of one process are sent before the next one is looked at: where that hangs, they are known.
        """
        until = time.monotonic() + SOCKETS_SECONDS
        left = len(sockets)
        for (pid, started), held in groupby(sockets, _PROCESS):
            wanted = [each.bound for each in held]
            found = tuple(self._find_of_process(pid, started, wanted, until))
            left -= len(found)
            more = left > 0 and len(found) == len(wanted) and time.monotonic() < until
            yield FileReply(number, 0, time.process_time_ns(), found, more=more)
            if not more:
                return

    def _find_of_process(
        self, pid: int, started: int, sockets: Sequence[BoundSocket], until: float
    ) -> Iterator[SocketFile]:
        """Yield the answers until the time is over or a message is full, but at least one."""
        bytes_left = MAX_CONTENT_BYTES
        with closing(find_sockets(self._reader, pid, started, sockets)) as answers:
            for _ in sockets:
                with self._timer.limited():
                    found = next(answers)
                yield found
                bytes_left -= len(found.path)
                if bytes_left <= 0 or time.monotonic() >= until:
                    return


def serve_files(channel: socket.socket, timer: AccessTimer, named: Sequence[str] = ()) -> None:
    """Be the file broker at this socket until the other side has closed its own.

    `named` are the paths of files that the user has named. Raises OSError.
    """
    FileServer(ProcessFileReader(), timer, HostFileReader(named)).serve(channel)
