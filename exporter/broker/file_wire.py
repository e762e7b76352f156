"""The messages between the file broker and the process that asks it, with the layout of each.

They travel as those of `wire` do. A file that does not fit into one message comes in several replies.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from exporter.broker.host_files import NamedFile, RuntimeDirectory, RuntimeFile
from exporter.broker.process_files import FileContent, ProcessFile
from exporter.broker.socket_file import BoundSocket, SocketFile, SocketFileState
from exporter.broker.wire import MalformedMessageError

# The most of a file that one reply has; it fits into a message.
MAX_CONTENT_BYTES: Final = 32768
_REQUEST: Final = struct.Struct("=IHIQ")
_FILE: Final = struct.Struct("=B")
_BOUND: Final = struct.Struct("=QQ")
# Number, errno, processor time, type, whether more follows.
_REPLY: Final = struct.Struct("=IiQBB")
_CONTENT: Final = struct.Struct("=QQ")
_SOCKET: Final = struct.Struct("=Bi")
# A path that the kernel accepts (PATH_MAX).
_MAX_PATH_BYTES: Final = 4096
_MAX_PID: Final = 0x7FFFFFFF


Subject = ProcessFile | BoundSocket | NamedFile | RuntimeFile | RuntimeDirectory


class FileRequestType(enum.IntEnum):
    """What is asked for."""

    # The content of a file of a process, in one reply or more.
    READ = 1
    # Where the file of a unix socket lies.
    FIND_SOCKET = 2
    # The content of a file that the user has named.
    READ_NAMED = 3
    # The content of a file of a container runtime.
    READ_OF_RUNTIME = 4
    # The names in a directory of a container runtime.
    LIST_OF_RUNTIME = 5


class _Payload(enum.IntEnum):
    NONE = 0
    CONTENT = 1
    SOCKET = 2


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A request, which may be about the process that started at `started`, in clock ticks since boot.

    `subject` is the file that is to be read, or the socket of the process whose file is to be found. For a
    file that is no process's, `pid` and `started` are 0.
    """

    number: int
    pid: int
    started: int
    subject: Subject


@dataclass(frozen=True, slots=True)
class FileReply:
    """A reply. `errno` is 0 where the request was carried out, and then `found` is the answer.

    `more` says that the content goes on in the next reply. `processor_ns` is the processor time that the
    broker has used since it started. A broker that has ended is told by the number BROKER_ENDED; its `errno`
    is ETIMEDOUT where it had hung.
    """

    number: int
    errno: int = 0
    processor_ns: int = 0
    found: FileContent | SocketFile | None = None
    more: bool = False


def pack_request(request: FileRequest) -> bytes:
    """Encode a request."""
    kind, payload = _pack_subject(request.subject)
    return _REQUEST.pack(request.number, kind, request.pid, request.started) + payload


def unpack_request(message: bytes) -> FileRequest:
    """Decode a request. Raises MalformedMessageError."""
    try:
        number, kind, pid, started = _REQUEST.unpack_from(message)
        payload = message[_REQUEST.size :]
        of_process = kind in (FileRequestType.READ, FileRequestType.FIND_SOCKET)
        _check(0 < pid <= _MAX_PID if of_process else pid == started == 0, "no such process")
        return FileRequest(number, pid, started, _unpack_subject(FileRequestType(kind), payload))
    except (struct.error, ValueError) as error:
        raise MalformedMessageError(str(error)) from error


def pack_reply(reply: FileReply) -> bytes:
    """Encode a reply."""
    found = reply.found
    kind, payload = _Payload.NONE, b""
    if isinstance(found, FileContent):
        kind, payload = _Payload.CONTENT, _CONTENT.pack(found.device, found.inode) + found.content
    elif found is not None:
        kind, payload = _Payload.SOCKET, _SOCKET.pack(found.state, found.errno) + found.path
    return _REPLY.pack(reply.number, reply.errno, reply.processor_ns, kind, reply.more) + payload


def unpack_reply(message: bytes) -> FileReply:
    """Decode a reply. Raises MalformedMessageError."""
    try:
        number, failed, processor_ns, kind, more = _REPLY.unpack_from(message)
        _check(more in (0, 1), "neither true nor false")
        found = _unpack_found(_Payload(kind), message[_REPLY.size :])
        return FileReply(number, failed, processor_ns, found, bool(more))
    except (struct.error, ValueError) as error:
        raise MalformedMessageError(str(error)) from error


def content_replies(number: int, processor_ns: int, content: FileContent) -> Iterator[FileReply]:
    """Yield the replies that the content of a file needs."""
    for start in range(0, max(1, len(content.content)), MAX_CONTENT_BYTES):
        end = start + MAX_CONTENT_BYTES
        part = replace(content, content=content.content[start:end])
        yield FileReply(number, 0, processor_ns, part, more=end < len(content.content))


def _unpack_found(kind: _Payload, payload: bytes) -> FileContent | SocketFile | None:
    match kind:
        case _Payload.CONTENT:
            return FileContent(payload[_CONTENT.size :], *_CONTENT.unpack_from(payload))
        case _Payload.SOCKET:
            state, failed = _SOCKET.unpack_from(payload)
            return SocketFile(SocketFileState(state), payload[_SOCKET.size :], failed)
        case _Payload.NONE:
            _check(not payload, "bytes of nothing")
            return None


def _pack_subject(subject: Subject) -> tuple[FileRequestType, bytes]:
    match subject:
        case ProcessFile() as file:
            return FileRequestType.READ, _FILE.pack(file)
        case BoundSocket(path, device, inode):
            return FileRequestType.FIND_SOCKET, _BOUND.pack(device, inode) + path
        case NamedFile(index):
            return FileRequestType.READ_NAMED, _FILE.pack(index)
        case RuntimeFile(path):
            return FileRequestType.READ_OF_RUNTIME, path
        case RuntimeDirectory(path):
            return FileRequestType.LIST_OF_RUNTIME, path


def _unpack_subject(kind: FileRequestType, payload: bytes) -> Subject:
    match kind:
        case FileRequestType.READ:
            return ProcessFile(*_FILE.unpack(payload))
        case FileRequestType.FIND_SOCKET:
            device, inode = _BOUND.unpack_from(payload)
            return BoundSocket(_checked_path(payload[_BOUND.size :]), device, inode)
        case FileRequestType.READ_NAMED:
            return NamedFile(*_FILE.unpack(payload))
        case FileRequestType.READ_OF_RUNTIME:
            return RuntimeFile(_checked_path(payload))
        case FileRequestType.LIST_OF_RUNTIME:
            return RuntimeDirectory(_checked_path(payload))


def _checked_path(path: bytes) -> bytes:
    _check(bool(path) and b"\0" not in path and len(path) <= _MAX_PATH_BYTES, "no path")
    return path


def _check(condition: bool, message: str) -> None:  # noqa: FBT001
    if not condition:
        raise ValueError(message)
