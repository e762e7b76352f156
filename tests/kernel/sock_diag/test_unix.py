"""Unix rows: names of any bytes, and attributes that are missing or of another size."""

from __future__ import annotations

import struct

import pytest

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.family import UNIX
from exporter.kernel.records import Listener
from tests.kernel.datagrams import attribute, message, unix_row

RQLEN, UID = 4, 7


def listener(attributes: bytes) -> Listener:
    return UNIX.rows.listener(message(unix_row(1)[16:] + attributes))


@pytest.mark.parametrize("short", [b"", bytes(3)])
def test_a_user_of_another_size_is_none(short: bytes) -> None:
    assert listener(attribute(UID, struct.pack("=I", 1000))).uid == 1000
    assert listener(attribute(UID, short)).uid is None
    assert listener(b"").uid is None


@pytest.mark.parametrize("short", [b"", bytes(4), bytes(7)])
def test_a_queue_of_another_size_is_none(short: bytes) -> None:
    head = unix_row(1)[16:32]
    reading = UNIX.rows.reading(message(head + attribute(RQLEN, short)))
    assert (reading.length, reading.limit) == (None, None)
    reading = UNIX.rows.reading(message(head + attribute(RQLEN, struct.pack("=II", 3, 4))))
    assert (reading.length, reading.limit) == (3, 4)


@pytest.mark.parametrize(
    ("shown", "address"),
    [
        (b"/run/a\0", "/run/a"),
        (b"/run/a", "/run/a"),
        (b"\0a\0\0", "@a"),
        (b"\0a\0b", r"@a\x00b"),
        (b"\0", "@"),
        (b"a\0\0", r"a\x00"),
        (b"", ""),
    ],
)
def test_an_address_has_neither_the_nul_that_the_kernel_adds_nor_the_padding_of_an_abstract_name(
    shown: bytes, address: str
) -> None:
    assert UNIX.rows.listener(unix_row(1, name=shown)).address == address


@pytest.mark.parametrize(("at", "value"), [(16, 2), (16, 0), (18, 1), (18, 7)])
def test_a_row_of_another_family_or_state_is_malformed(at: int, value: int) -> None:
    row = unix_row(1)
    assert UNIX.rows.listener(row).inode == 1
    with pytest.raises(MalformedReplyError):
        UNIX.rows.listener(row[:at] + bytes((value,)) + row[at + 1 :])
