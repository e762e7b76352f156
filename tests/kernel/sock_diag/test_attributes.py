"""Attributes in another order, of another size or not there: what other kernels may send."""

from __future__ import annotations

import socket
import struct

import pytest

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import Endpoint, Listener
from exporter.kernel.sock_diag import accept_wait as waiting
from exporter.kernel.sock_diag import messages, syn_recv, unix
from exporter.kernel.sock_diag import tcp as inet
from tests.kernel.datagrams import (
    ESTABLISHED,
    SYN_RECV,
    attribute,
    inet_row,
    message,
    skmeminfo,
    tcp_info,
    unix_row,
)

INFO, TOS, SKMEMINFO, SKV6ONLY, CGROUP_ID = 2, 5, 7, 11, 21
RQLEN, UID = 4, 7
NESTED = 0x8000


def v6only(attributes: bytes) -> bool:
    return inet.listener(inet_row(1, address="::", attributes=attributes)).v6only


def drops(attributes: bytes) -> int | None:
    return inet.reading(inet_row(1, attributes=attributes)).drops


def unix_listener(attributes: bytes) -> Listener:
    return unix.listener(message(unix_row(1)[16:] + attributes))


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(skmeminfo(7), id="alone"),
        pytest.param(attribute(TOS, b"\x10") + skmeminfo(7), id="last"),
        pytest.param(skmeminfo(7) + attribute(TOS, b"\x10"), id="followed by another"),
        pytest.param(attribute(SKMEMINFO, struct.pack("=11I", *range(8), 7, 1, 2)), id="longer"),
        pytest.param(attribute(SKMEMINFO | NESTED, skmeminfo(7)[4:]), id="flagged"),
    ],
)
def test_drops_are_found_wherever_they_stand(attributes: bytes) -> None:
    assert drops(attributes) == 7


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(b"", id="no attribute"),
        pytest.param(attribute(TOS, bytes(36)), id="another attribute of that size"),
        pytest.param(attribute(SKMEMINFO, bytes(32)), id="eight numbers"),
        pytest.param(attribute(SKMEMINFO, b""), id="none at all"),
    ],
)
def test_drops_that_are_not_told_are_unknown_and_not_zero(attributes: bytes) -> None:
    assert drops(attributes) is None


def test_what_looks_like_drops_in_the_fixed_part_is_none() -> None:
    row = bytearray(inet_row(1))
    struct.pack_into("=HH", row, len(row) - 40, 40, SKMEMINFO)
    assert inet.reading(bytes(row)).drops is None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (attribute(SKV6ONLY, b"\x01"), True),
        (attribute(SKV6ONLY, b"\x00"), False),
        (attribute(SKV6ONLY, b"\x00") + attribute(TOS, b"\x01"), False),
        (attribute(TOS, b"\x01"), False),
        (attribute(SKV6ONLY, b""), False),
        (b"", False),
    ],
)
def test_v6only_is_what_its_attribute_says(attributes: bytes, expected: bool) -> None:  # noqa: FBT001
    assert v6only(attributes) is expected


@pytest.mark.parametrize("short", [b"", bytes(3)])
def test_an_owner_that_is_not_told_whole_is_unknown(short: bytes) -> None:
    assert unix_listener(attribute(UID, struct.pack("=I", 1000))).uid == 1000
    assert unix_listener(attribute(UID, short)).uid is None
    assert unix_listener(b"").uid is None


@pytest.mark.parametrize("short", [b"", bytes(4), bytes(7)])
def test_a_queue_that_is_not_told_whole_is_unknown(short: bytes) -> None:
    head = unix_row(1)[16:32]
    reading = unix.reading(message(head + attribute(RQLEN, short)))
    assert (reading.length, reading.limit) == (None, None)
    reading = unix.reading(message(head + attribute(RQLEN, struct.pack("=II", 3, 4))))
    assert (reading.length, reading.limit) == (3, 4)


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (b"/run/a\0", b"/run/a"),
        (b"/run/a", b"/run/a"),
        (b"\0a\0", b"\0a\0"),
        (b"\0", b"\0"),
        (b"a\0\0", b"a\0"),
        (b"", b""),
    ],
)
def test_only_the_nul_that_the_kernel_adds_to_a_path_is_taken_off(shown: bytes, name: bytes) -> None:
    assert unix.listener(unix_row(1, name=shown)).name == name


@pytest.mark.parametrize("size", [0, 4, 44, 47])
def test_a_wait_without_its_time_is_malformed(size: int) -> None:
    short = inet_row(1, state=ESTABLISHED, inode=0, attributes=attribute(INFO, bytes(size)))
    with pytest.raises(MalformedReplyError):
        waiting.oldest([short])


@pytest.mark.parametrize("more", [b"", attribute(TOS, b"\x10")])
def test_a_wait_is_found_in_the_tcp_info_of_an_old_kernel(more: bytes) -> None:
    old = more + attribute(INFO, tcp_info(1500)[4:52]) + more
    row = inet_row(1, state=ESTABLISHED, inode=0, attributes=old)
    assert list(waiting.oldest([row]).values()) == [1.5]


def test_syn_recv_connections_through_different_interfaces_are_told_apart() -> None:
    rows = [inet_row(1, address="fe80::1", state=SYN_RECV, interface=interface) for interface in (2, 3, 2)]
    address = socket.inet_pton(socket.AF_INET6, "fe80::1")
    assert syn_recv.count([b"".join(rows)]) == {
        Endpoint(socket.AF_INET6, address, 8000, 2): 2,
        Endpoint(socket.AF_INET6, address, 8000, 3): 1,
    }


def test_an_interface_that_is_gone_keeps_its_number() -> None:
    row = inet_row(1, interface=4000000000)
    assert inet.listener(row).device == "if4000000000"


def test_messages_without_the_padding_between_them_are_not_rows_of_one_size() -> None:
    """Sizes that are no multiple of four must be walked, for the next message begins behind the padding."""
    odd = message(b"x")
    assert messages.row_size(odd + odd) == 0
    assert messages.messages(odd + bytes(3) + odd) == [odd, odd]
    assert messages.messages(odd) == [odd]


def test_rows_of_one_size_are_told_by_the_whole_length() -> None:
    """The bytes of the first length stand at every place where a row would begin, and mean another length."""
    first, second = message(bytes(4)), bytearray(b"\x14" * 1300)
    struct.pack_into("=I", second, 0, len(second))
    assert (len(second) & 0xFF, len(first + second) % len(first)) == (len(first), 0)
    assert messages.row_size(first + second) == 0
    assert messages.messages(first + second) == [first, second]


@pytest.mark.parametrize("length", [0, 1, 4, 15, 100, 0xFFFFFFFF])
def test_a_message_shorter_than_its_header_or_longer_than_what_is_there_is_malformed(length: int) -> None:
    whole = message(bytes(4))
    # Sixteen bytes each, so that whoever believes a length of 15 comes out at the end.
    broken = struct.pack("=I12x", length) * 5
    for datagram in (broken, whole + broken):
        with pytest.raises(MalformedReplyError):
            messages.messages(datagram)


@pytest.mark.parametrize("length", [0, 1, 3, 100, 0xFFFF])
def test_an_attribute_shorter_than_its_header_or_longer_than_what_is_there_is_malformed(length: int) -> None:
    broken = struct.pack("=HH", length, TOS) * 10
    for attributes in (broken, attribute(TOS, b"") + broken):
        with pytest.raises(MalformedReplyError):
            list(messages.attributes(attributes, 0))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param(attribute(CGROUP_ID, struct.pack("=Q", 4711)), 4711, id="alone"),
        pytest.param(
            attribute(SKV6ONLY, b"\x01") + attribute(CGROUP_ID, struct.pack("=Q", 1 << 40)),
            1 << 40,
            id="large",
        ),
        pytest.param(attribute(CGROUP_ID, struct.pack("=Q", 7)) + skmeminfo(1), 7, id="followed by another"),
        pytest.param(attribute(CGROUP_ID, struct.pack("=I", 7)), 0, id="of another size"),
        pytest.param(attribute(TOS, struct.pack("=Q", 7)), 0, id="another attribute"),
        pytest.param(b"", 0, id="older kernel"),
    ],
)
def test_the_cgroup_of_a_listener_is_found_wherever_it_stands(attributes: bytes, expected: int) -> None:
    assert inet.listener(inet_row(1, address="::", attributes=attributes)).cgroup_id == expected
