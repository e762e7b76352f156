"""Messages in a datagram and attributes in a message, whose lengths may be wrong."""

from __future__ import annotations

import struct

import pytest

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.sock_diag import messages
from tests.kernel.datagrams import attribute, message

TOS = 5


def test_messages_without_padding_are_not_rows_of_one_size() -> None:
    """Where the length is no multiple of four, the next message begins after the padding."""
    odd = message(b"x")
    assert messages.row_size(odd + odd) == 0
    assert messages.messages(odd + bytes(3) + odd) == [odd, odd]
    assert messages.messages(odd) == [odd]


def test_rows_of_one_size_are_recognized_by_the_whole_length() -> None:
    """The first byte of the length stands at each position where a row would begin, but not the others."""
    first, second = message(bytes(4)), bytearray(b"\x14" * 1300)
    struct.pack_into("=I", second, 0, len(second))
    assert (len(second) & 0xFF, len(first + second) % len(first)) == (len(first), 0)
    assert messages.row_size(first + second) == 0
    assert messages.messages(first + second) == [first, second]


@pytest.mark.parametrize("length", [0, 1, 4, 15, 100, 0xFFFFFFFF])
def test_a_message_shorter_than_its_header_or_longer_than_the_datagram_is_malformed(length: int) -> None:
    whole = message(bytes(4))
    # Sixteen bytes each, so that a length of 15, if it were accepted, would lead to the end.
    broken = struct.pack("=I12x", length) * 5
    for datagram in (broken, whole + broken):
        with pytest.raises(MalformedReplyError):
            messages.messages(datagram)


@pytest.mark.parametrize("length", [0, 1, 3, 100, 0xFFFF])
def test_an_attribute_shorter_than_its_header_or_longer_than_the_message_is_malformed(length: int) -> None:
    broken = struct.pack("=HH", length, TOS) * 10
    for attributes in (broken, attribute(TOS, b"") + broken):
        with pytest.raises(MalformedReplyError):
            list(messages.attributes(attributes, 0))
