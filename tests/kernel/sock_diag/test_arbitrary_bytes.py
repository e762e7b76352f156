"""A decoder returns a record of the right form for any bytes, or raises MalformedReplyError."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import zip_longest
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError, MalformedReplyError
from exporter.kernel.family import TCP, UNIX
from exporter.kernel.records import Endpoint, Listener, QueueReading, WaitingConnection
from exporter.kernel.sock_diag import accept_wait, messages, syn_recv
from exporter.kernel.sock_diag.dump import dump
from exporter.kernel.sock_diag.messages import HEADER_BYTES
from exporter.kernel.sock_diag.requests import TCP_NEW_SYN_RECV
from tests.kernel.datagrams import ESTABLISHED, SYN_RECV, datagram, inet_row, tcp_info, tcp_row
from tests.kernel.fake_kernel import FakeKernel
from tests.kernel.mutations import any_datagram, any_row, mutated, recorded_datagrams

Answer = TypeVar("Answer")

EMPTY = (b"", b"\0", bytes(3), bytes(15), bytes(16), bytes(88), b"\xff" * 200)


def answer(decode: Callable[[bytes], Answer], data: bytes) -> Answer | None:
    """Decode; any other error than MalformedReplyError fails the test."""
    try:
        return decode(data)
    except MalformedReplyError:
        return None


def is_number(value: int | None, bits: int) -> bool:
    return value is None or 0 <= value < 1 << bits


def is_endpoint(endpoint: Endpoint) -> bool:
    size = {socket.AF_INET: 4, socket.AF_INET6: 16}[socket.AddressFamily(endpoint.family)]
    return (
        len(endpoint.address) == size and is_number(endpoint.port, 16) and is_number(endpoint.interface, 32)
    )


def check_reading(reading: QueueReading | None) -> None:
    if reading is not None:
        assert is_number(reading.cookie, 64)
        assert all(is_number(value, 32) for value in (reading.length, reading.limit, reading.drops))


def check_listener(listener: Listener | None) -> None:
    if listener is not None:
        assert is_number(listener.cookie, 64)
        assert is_number(listener.inode, 32)
        assert is_number(listener.uid, 32)
        assert listener.address.isprintable()
        assert listener.port == ("" if listener.endpoint is None else str(listener.endpoint.port))
        assert listener.endpoint is None or is_endpoint(listener.endpoint)


@given(any_row())
@settings(max_examples=400)
def test_a_tcp_row_of_any_bytes(row: bytes) -> None:
    cookie, listener = answer(TCP.rows.cookie, row), answer(TCP.rows.listener, row)
    reading = answer(TCP.rows.reading, row)
    check_listener(listener)
    check_reading(reading)
    assert listener is None or listener.cookie == cookie
    assert reading is None or reading.cookie == cookie


@given(any_row())
@settings(max_examples=400)
def test_a_unix_row_of_any_bytes(row: bytes) -> None:
    cookie, listener = answer(UNIX.rows.cookie, row), answer(UNIX.rows.listener, row)
    reading = answer(UNIX.rows.reading, row)
    check_listener(listener)
    check_reading(reading)
    assert listener is None or listener.cookie == cookie
    assert reading is None or reading.cookie == cookie


@pytest.mark.parametrize("data", EMPTY, ids=repr)
@pytest.mark.parametrize(
    "decode",
    [decode for rows in (TCP.rows, UNIX.rows) for decode in (rows.cookie, rows.listener, rows.reading)],
    ids=lambda decode: decode.__qualname__,
)
def test_bytes_that_are_too_short_are_malformed(decode: Callable[[bytes], object], data: bytes) -> None:
    answer(decode, data)
    if len(data) < 32:
        assert answer(decode, data) is None


@given(any_datagram())
@settings(max_examples=400)
def test_messages_are_split_without_loss_and_in_order(data: bytes) -> None:
    found = answer(messages.messages, data)
    if found is not None:
        assert all(len(each) == int.from_bytes(each[:4], "little") >= HEADER_BYTES for each in found)
        at = 0
        for each in found:
            assert data[at : at + len(each)] == each
            at += len(each) + 3 & ~3
        assert at >= len(data)


@given(any_datagram())
@example(b"")
@example(b"\x10\0\0")
@settings(max_examples=400)
def test_one_size_is_returned_only_where_every_message_has_it(data: bytes) -> None:
    size = answer(messages.row_size, data)
    if size:
        assert answer(messages.messages, data) == [data[at : at + size] for at in range(0, len(data), size)]
    rows = answer(messages.messages, data)
    if rows and len({len(row) for row in rows}) == 1 and len(rows[0]) % 4 == 0:
        assert size == len(rows[0])


@st.composite
def two_datagrams(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Two replies to one request: rows of one size or of several, some of them changed, lost or new."""
    kinds = [tcp_row, inet_row] if draw(st.booleans()) else [tcp_row]
    row = st.builds(
        lambda kind, cookie, length: kind(cookie, length=length),
        st.sampled_from(kinds),
        st.integers(1, 3),
        st.integers(0, 1),
    )
    old = draw(st.lists(row, max_size=6))
    new = (
        [draw(st.one_of(st.just(same), row)) for same in old] if draw(st.booleans()) else draw(st.lists(row))
    )
    return datagram(old), datagram(new)


@given(two_datagrams())
@settings(max_examples=400)
def test_different_messages_are_those_that_differ_at_their_position(pair: tuple[bytes, bytes]) -> None:
    old, new = pair
    positions = zip_longest(messages.messages(old), messages.messages(new), fillvalue=b"")
    assert list(messages.different_messages(old, new)) == [
        (before, after) for before, after in positions if before != after
    ]


@given(any_datagram(), any_datagram())
def test_different_messages_of_any_bytes_are_pairs_or_malformed(old: bytes, new: bytes) -> None:
    if answer(messages.messages, old) is not None:
        found = answer(lambda data: list(messages.different_messages(old, data)), new)
        assert (found is None) == (answer(messages.messages, new) is None)


@given(any_row(), st.integers(0, 400))
def test_attributes_are_within_the_message_and_in_order(row: bytes, start: int) -> None:
    def walk(data: bytes) -> list[tuple[int, int, int]]:
        return list(messages.attributes(data, start))

    found = answer(walk, row)
    if found is not None:
        offsets = [at for _, at, _ in found]
        assert offsets == sorted(set(offsets))
        assert all(start < at and size >= 0 and at + size <= len(row) for _, at, size in found)
        assert all(is_number(kind, 14) for kind, _, _ in found)


@given(st.lists(any_datagram(), max_size=3))
@example([b"\x01"])
@example([b""])
@settings(max_examples=400)
def test_syn_recv_connections_are_counted_row_by_row(data: list[bytes]) -> None:
    def count(_: bytes) -> dict[Endpoint, int]:
        return syn_recv.count(data)

    found = answer(count, b"")
    if found is not None:
        assert all(is_endpoint(endpoint) for endpoint in found)
        assert sum(found.values()) == sum(len(messages.messages(each)) for each in data)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([SYN_RECV, TCP_NEW_SYN_RECV]),
            st.sampled_from(["127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1"]),
            st.sampled_from([80, 81]),
            st.sampled_from([bytes(12), b"\xff" * 12]),
            st.sampled_from([0, 4, 160]),
        ),
        min_size=1,
    ),
    st.integers(0, 40),
)
def test_every_syn_recv_row_is_counted_once(shown: list[tuple[int, str, int, bytes, int]], cut: int) -> None:
    """Also where rows of one endpoint differ in bytes that a kernel leaves zero."""
    rows, expected = [], Counter[Endpoint]()
    for state, address, port, unused, more in shown:
        row = inet_row(1, address=address, port=port, state=state, attributes=bytes(more))
        if ":" in address:
            expected[Endpoint(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address), port, 0)] += 1
        else:
            row = row[:28] + unused + row[40:]
            expected[Endpoint(socket.AF_INET, socket.inet_aton(address), port, 0)] += 1
        rows.append(row)
    packed = [datagram(part) for part in (rows[:cut], rows[cut:]) if part]
    assert syn_recv.count(packed) == expected


@given(st.lists(any_datagram(), max_size=3))
@settings(max_examples=400)
def test_waits_are_seconds_at_endpoints(data: list[bytes]) -> None:
    def waiting(_: bytes) -> list[WaitingConnection]:
        return list(accept_wait.waiting(data))

    for connection in answer(waiting, b"") or []:
        assert is_endpoint(connection.local)
        assert is_endpoint(
            connection.local._replace(address=connection.peer_address, port=connection.peer_port)
        )
        assert is_number(connection.cookie, 64)
        assert is_number(connection.cgroup_id, 64)
        assert 0 <= connection.seconds <= 0xFFFFFFFF / 1000


@given(
    st.lists(st.builds(inet_row, st.just(1), inode=st.integers(0, 2), state=st.integers(0, 2)), max_size=9)
)
def test_rows_of_one_size_are_decoded_as_those_of_several(rows: list[bytes]) -> None:
    """Or neither is."""

    def waiting(data: bytes) -> list[WaitingConnection]:
        return list(accept_wait.waiting([data]))

    rows = [row + tcp_info(7) for row in rows]
    rows = [struct.pack("=I", len(row)) + row[4:] for row in rows]
    longer = inet_row(9, state=ESTABLISHED)
    assert answer(waiting, datagram(rows)) == answer(waiting, datagram([*rows, longer]))


@given(st.lists(any_datagram() | mutated(recorded_datagrams()), max_size=4))
@settings(max_examples=400)
def test_a_dump_of_any_bytes_ends_and_closes_its_socket(replies: Iterable[bytes]) -> None:
    kernel = FakeKernel(*replies)
    with suppress(KernelError):
        list(dump(TCP.rows.requests[0], kernel))
    assert kernel.all_closed()
