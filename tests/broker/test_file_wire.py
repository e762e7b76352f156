"""Messages of the file broker are decoded as they were encoded, and anything else is malformed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.broker import file_wire
from exporter.broker.file_wire import MAX_CONTENT_BYTES, MAX_SOCKETS, FileReply, FileRequest, FileRequestType
from exporter.broker.host_files import NamedFile, RuntimeDirectory, RuntimeFile
from exporter.broker.process_files import FileContent, ProcessFile
from exporter.broker.socket_file import BoundSocket, HeldSocket, SocketFile, SocketFileState
from exporter.broker.wire import MAX_MESSAGE_BYTES, MalformedMessageError

U32, U64 = 2**32 - 1, 2**64 - 1
READ, FIND_SOCKETS = FileRequestType.READ, FileRequestType.FIND_SOCKETS

numbers, large = st.integers(0, U32), st.integers(0, U64)
paths = st.binary(min_size=1, max_size=200).filter(lambda path: b"\0" not in path)
pids = st.integers(1, 2**31 - 1)
socket_paths = st.binary(min_size=1, max_size=108).filter(lambda path: b"\0" not in path)
held = st.builds(HeldSocket, pids, large, st.builds(BoundSocket, socket_paths, large, large))
requests = st.builds(FileRequest, numbers, pids, large, st.sampled_from(ProcessFile)) | st.builds(
    FileRequest,
    numbers,
    st.just(0),
    st.just(0),
    st.builds(NamedFile, st.integers(0, 255))
    | st.builds(RuntimeFile, paths)
    | st.builds(RuntimeDirectory, paths)
    | st.lists(held, min_size=1, max_size=5).map(tuple),
)
errnos = st.integers(-(2**31), 2**31 - 1)
socket_files = st.builds(SocketFile, st.sampled_from(SocketFileState), st.binary(max_size=100), errnos)
found = (
    st.none()
    | st.builds(FileContent, st.binary(max_size=100), large, large)
    | st.lists(socket_files, max_size=5).map(tuple)
)
replies = st.builds(FileReply, numbers, errnos, large, found, st.booleans())


def request(kind: int, payload: bytes, pid: int = 10) -> bytes:
    return struct.pack("=IHIQ", 7, kind, pid, 5 if pid else 0) + payload


def socket_of(path: bytes, pid: int = 10) -> bytes:
    return struct.pack("=IQQQB", pid, 5, 1, 2, len(path)) + path


def sockets(*held: bytes) -> bytes:
    return request(FIND_SOCKETS, b"".join(held), pid=0)


@given(requests)
def test_a_request_is_decoded_as_it_was_encoded(request: FileRequest) -> None:
    assert file_wire.unpack_request(file_wire.pack_request(request)) == request


@given(replies)
def test_a_reply_is_decoded_as_it_was_encoded(reply: FileReply) -> None:
    assert file_wire.unpack_reply(file_wire.pack_reply(reply)) == reply


@given(
    st.binary(max_size=200)
    | st.builds(request, st.sampled_from([1, 2, 3, 4, 5]), st.binary(max_size=60), st.sampled_from([0, 10]))
    | st.lists(st.builds(socket_of, st.binary(max_size=9))).map(lambda parts: sockets(*parts))
)
def test_any_bytes_are_a_request_or_malformed(message: bytes) -> None:
    try:
        decoded = file_wire.unpack_request(message)
    except MalformedMessageError:
        return
    of_process = isinstance(decoded.subject, ProcessFile)
    assert 0 < decoded.pid < 2**31 if of_process else decoded.pid == decoded.started == 0
    assert file_wire.pack_request(decoded) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_malformed(message: bytes) -> None:
    try:
        reply = file_wire.unpack_reply(message)
    except MalformedMessageError:
        return
    assert file_wire.pack_reply(reply) == message


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(request(0, b"\1"), id="unknown type"),
        pytest.param(request(6, b"\1", pid=0), id="another unknown type"),
        pytest.param(request(3, b"\1"), id="a named file of a process"),
        pytest.param(request(4, b"/a"), id="a file of a runtime of a process"),
        pytest.param(request(READ, b"\0"), id="unknown file"),
        pytest.param(request(READ, b"\7"), id="another unknown file"),
        pytest.param(request(READ, b"\1\1"), id="two files"),
        pytest.param(request(READ, b"\1", pid=0), id="no process"),
        pytest.param(request(READ, b"\1", pid=2**31), id="no process has this number"),
        pytest.param(request(4, b"/" + b"x" * 4096, pid=0), id="a path that is too long"),
        pytest.param(sockets(b""), id="no socket"),
        pytest.param(sockets(*[socket_of(b"/a")] * (MAX_SOCKETS + 1)), id="too many sockets"),
        pytest.param(sockets(socket_of(b"/a"), socket_of(b"/a")[:28]), id="cut off"),
        pytest.param(sockets(socket_of(b"/a"), socket_of(b"/a")[:-1]), id="a path that is cut off"),
        pytest.param(sockets(socket_of(b"/a", pid=0)), id="a socket of no process"),
        pytest.param(sockets(socket_of(b"/a", pid=2**31)), id="a socket of a process with no such number"),
        pytest.param(request(FIND_SOCKETS, socket_of(b"/a")), id="sockets of one process"),
        pytest.param(sockets(socket_of(b"")), id="no path"),
        pytest.param(sockets(socket_of(b"\0abstract")), id="an abstract name"),
        pytest.param(sockets(socket_of(b"/a\0b")), id="a path that ends earlier"),
        pytest.param(sockets(socket_of(b"x" * 109)), id="a path that no socket can have"),
    ],
)
def test_a_malformed_request_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        file_wire.unpack_request(message)


@pytest.mark.parametrize(
    ("kind", "more", "payload"),
    [
        (0, 0, b"x"),
        (3, 0, b""),
        (0, 2, b""),
        (2, 0, b"\4"),
        pytest.param(2, 0, b"\4" + bytes(6), id="no such state"),
        pytest.param(2, 0, bytes(5) + b"\2\0x", id="a path that is cut off"),
    ],
)
def test_a_malformed_reply_is_refused(kind: int, more: int, payload: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        file_wire.unpack_reply(struct.pack("=IiQBB", 1, 0, 0, kind, more) + payload)


def test_as_many_sockets_as_are_allowed_fit_into_a_message() -> None:
    most = HeldSocket(2**31 - 1, U64, BoundSocket(b"x" * 108, U64, U64))
    message = file_wire.pack_request(FileRequest(1, 0, 0, (most,) * MAX_SOCKETS))
    assert len(message) <= MAX_MESSAGE_BYTES
    assert file_wire.unpack_request(message).subject == (most,) * MAX_SOCKETS


def test_a_path_that_no_socket_can_have_is_not_sent() -> None:
    with pytest.raises(ValueError, match="no path"):
        file_wire.pack_request(FileRequest(1, 0, 0, (HeldSocket(1, 1, BoundSocket(b"x" * 109, 1, 1)),)))


def test_a_file_has_no_other_name_than_those_that_are_declared() -> None:
    """Neither the environment of a process nor its memory."""
    assert {file.name for file in ProcessFile} == {"CMDLINE", "UID_MAP", "PASSWD", "VIEW"}


@pytest.mark.parametrize("size", [0, 1, MAX_CONTENT_BYTES, MAX_CONTENT_BYTES + 1, 5 * MAX_CONTENT_BYTES])
def test_a_file_of_any_size_comes_in_replies_that_fit_into_a_message(size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    parts = list(file_wire.content_replies(7, 9, FileContent(content, 1, 2)))
    assert len(parts) == max(1, -(-size // MAX_CONTENT_BYTES))
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert all(len(file_wire.pack_reply(part)) <= MAX_MESSAGE_BYTES for part in parts)
    assert b"".join(part.found.content for part in parts if isinstance(part.found, FileContent)) == content
