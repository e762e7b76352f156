"""The messages between the file broker and the process that asks it, with the layout of each.

They travel as those of `wire` do. A file that does not fit into one message comes in several replies, and so
do the files of sockets of several processes.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from exporter.broker.host_files import NamedFile, RuntimeDirectory, RuntimeFile
from exporter.broker.process_files import FileContent, ProcessFile
from exporter.broker.socket_file import BoundSocket, HeldSocket, SocketFile, SocketFileState
from exporter.broker.wire import MalformedMessageError

# The most of a file that one reply has; it fits into a message.
MAX_CONTENT_BYTES: Final = 32768
# The most sockets that one request may name; with the longest paths they fit into a message.
MAX_SOCKETS: Final = 128
_REQUEST: Final = struct.Struct("=IHIQ")
_FILE: Final = struct.Struct("=B")
# Process, its start, device, inode, bytes of the path.
_HELD: Final = struct.Struct("=IQQQB")
# Number, errno, processor time, type, whether more follows.
_REPLY: Final = struct.Struct("=IiQBB")
_CONTENT: Final = struct.Struct("=QQ")
# State, errno, bytes of the path.
_SOCKET: Final = struct.Struct("=BiH")
# A path that the kernel accepts (PATH_MAX), and one that a socket may have (sun_path, unix(7)).
_MAX_PATH_BYTES: Final = 4096
_MAX_SOCKET_PATH_BYTES: Final = 108
_MAX_PID: Final = 0x7FFFFFFF


Subject = ProcessFile | tuple[HeldSocket, ...] | NamedFile | RuntimeFile | RuntimeDirectory


class FileRequestType(enum.IntEnum):
    """What is asked for."""

    # The content of a file of a process, in one reply or more.
    READ = 1
    # Where the files of unix sockets lie; those of one process in one reply.
    FIND_SOCKETS = 2
    # The content of a file that the user has named.
    READ_NAMED = 3
    # The content of a file of a container runtime.
    READ_OF_RUNTIME = 4
    # The names in a directory of a container runtime.
    LIST_OF_RUNTIME = 5


class _Payload(enum.IntEnum):
    NONE = 0
    CONTENT = 1
    SOCKETS = 2


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A request, which may be about the process that started at `started`, in clock ticks since boot.

    `subject` is the file that is to be read, or the sockets whose files are to be found. For those, which
    name their processes, and for a file that is no process's, `pid` and `started` are 0.
    """

    number: int
    pid: int
    started: int
    subject: Subject


@dataclass(frozen=True, slots=True)
class FileReply:
    """A reply. `errno` is 0 where the request was carried out, and then `found` is the answer.

    `more` says that the answer goes on in the next reply. Of sockets it may end early: the files of the first
    ones are told, at least of one. `processor_ns` is the processor time that the
    broker has used since it started. A broker that has ended is told by the number BROKER_ENDED; its `errno`
    is ETIMEDOUT where it had hung.
    """

    number: int
    errno: int = 0
    processor_ns: int = 0
    found: FileContent | tuple[SocketFile, ...] | None = None
    more: bool = False


def pack_request(request: FileRequest) -> bytes:
    """Encode a request. Raises ValueError where a path is longer than that of any socket."""
    kind, payload = _pack_subject(request.subject)
    return _REQUEST.pack(request.number, kind, request.pid, request.started) + payload


def unpack_request(message: bytes) -> FileRequest:
    """Decode a request. Raises MalformedMessageError."""
    try:
        number, kind, pid, started = _REQUEST.unpack_from(message)
        payload = message[_REQUEST.size :]
        of_process = kind == FileRequestType.READ
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
        kind, payload = _Payload.SOCKETS, b"".join(map(_pack_socket, found))
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


def _unpack_found(kind: _Payload, payload: bytes) -> FileContent | tuple[SocketFile, ...] | None:
    match kind:
        case _Payload.CONTENT:
            return FileContent(payload[_CONTENT.size :], *_CONTENT.unpack_from(payload))
        case _Payload.SOCKETS:
            return tuple(_unpack_sockets(payload))
        case _Payload.NONE:
            _check(not payload, "bytes of nothing")
            return None


def _pack_subject(subject: Subject) -> tuple[FileRequestType, bytes]:
    match subject:
        case ProcessFile() as file:
            return FileRequestType.READ, _FILE.pack(file)
        case tuple() as held:
            return FileRequestType.FIND_SOCKETS, b"".join(map(_pack_held, held))
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
        case FileRequestType.FIND_SOCKETS:
            held = tuple(_unpack_held(payload))
            _check(0 < len(held) <= MAX_SOCKETS, "no socket, or too many")
            return held
        case FileRequestType.READ_NAMED:
            return NamedFile(*_FILE.unpack(payload))
        case FileRequestType.READ_OF_RUNTIME:
            return RuntimeFile(_checked_path(payload))
        case FileRequestType.LIST_OF_RUNTIME:
            return RuntimeDirectory(_checked_path(payload))


def _pack_held(held: HeldSocket) -> bytes:
    path = _checked_path(held.bound.path, _MAX_SOCKET_PATH_BYTES)
    return _HELD.pack(held.pid, held.started, held.bound.device, held.bound.inode, len(path)) + path


def _unpack_held(payload: bytes) -> Iterator[HeldSocket]:
    at = 0
    while at < len(payload):
        pid, started, device, inode, length = _HELD.unpack_from(payload, at)
        _check(0 < pid <= _MAX_PID, "no such process")
        at += _HELD.size
        path = _checked_path(_cut(payload, at, length), _MAX_SOCKET_PATH_BYTES)
        at += length
        yield HeldSocket(pid, started, BoundSocket(path, device, inode))


def _pack_socket(found: SocketFile) -> bytes:
    return _SOCKET.pack(found.state, found.errno, len(found.path)) + found.path


def _unpack_sockets(payload: bytes) -> Iterator[SocketFile]:
    at = 0
    while at < len(payload):
        state, failed, length = _SOCKET.unpack_from(payload, at)
        at += _SOCKET.size
        yield SocketFile(SocketFileState(state), _cut(payload, at, length), failed)
        at += length


def _cut(payload: bytes, at: int, length: int) -> bytes:
    part = payload[at : at + length]
    _check(len(part) == length, "cut off")
    return part


def _checked_path(path: bytes, most: int = _MAX_PATH_BYTES) -> bytes:
    _check(bool(path) and b"\0" not in path and len(path) <= most, "no path")
    return path


def _check(condition: bool, message: str) -> None:  # noqa: FBT001
    if not condition:
        raise ValueError(message)
