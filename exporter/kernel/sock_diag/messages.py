"""The messages in a netlink datagram, one after the other, and the attributes in a message.

Source: include/uapi/linux/netlink.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import zip_longest
from typing import Final

from exporter.kernel.errors import MalformedReplyError

HEADER_BYTES: Final = 16
_ATTRIBUTE: Final = struct.Struct("=HH")
_TYPE_MASK: Final = 0x3FFF
_LENGTH: Final = struct.Struct("=I")


def row_size(datagram: bytes) -> int:
    """Return the length that every message of a datagram has, or 0 where they differ.

    Where that same length stands at each multiple of the first message's length, the datagram consists of
    messages of this length, and none has to be looked at in Python.
    """
    if len(datagram) < HEADER_BYTES:
        return 0
    size: int = _LENGTH.unpack_from(datagram)[0]
    count, rest = divmod(len(datagram), size) if size >= HEADER_BYTES else (0, 1)
    if rest or size % 4:
        return 0
    same = all(datagram[at::size].count(datagram[at]) == count for at in range(_LENGTH.size))
    return size if same else 0


def messages(datagram: bytes) -> list[bytes]:
    """Split a datagram into its messages, headers included.

    Raises MalformedReplyError where a length points outside of the datagram, or is shorter than a header.
    """
    size = row_size(datagram)
    if size:
        return [datagram[at : at + size] for at in range(0, len(datagram), size)]
    found = []
    at = 0
    while at < len(datagram):
        length = _length(datagram, at)
        found.append(datagram[at : at + length])
        at += length + 3 & ~3
    return found


def different_messages(old: bytes, new: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Compare the messages of two datagrams by their position and yield the pairs that differ.

    Where one datagram has more messages, the other half of the pair is empty. `old` is a datagram that was
    split before. Raises MalformedReplyError.
    """
    size = row_size(new)
    if not size or size != row_size(old):
        yield from _different_by_length(old, new)
        return
    split = _row(size).iter_unpack
    for before, after in zip_longest(split(old), split(new), fillvalue=(b"",)):
        if before != after:
            yield before[0], after[0]


def _different_by_length(old: bytes, new: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Compare in place as long as the messages have the same lengths, and what follows after a split."""
    at = 0
    while at < len(new):
        length = _length(new, at)
        after = new[at : at + length]
        before = old[at : at + length]
        if before != after:
            if at >= len(old) or _length(old, at) != length:
                break
            yield before, after
        at += length + 3 & ~3
    for before, after in zip_longest(messages(old[at:]), messages(new[at:]), fillvalue=b""):
        if before != after:
            yield before, after


@lru_cache(maxsize=64)
def _row(size: int) -> struct.Struct:
    return struct.Struct(f"{size}s")


def _length(datagram: bytes, at: int) -> int:
    """Read the length of the message at `at`."""
    left = len(datagram) - at
    if left < HEADER_BYTES:
        raise MalformedReplyError(f"{left} bytes after the last netlink message")
    length: int = _LENGTH.unpack_from(datagram, at)[0]
    if not HEADER_BYTES <= length <= left:
        raise MalformedReplyError(f"netlink message of {length} bytes where {left} are left")
    return length


def attributes(message: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield (type, offset of the payload, length of the payload) of each attribute from `start` on.

    Raises MalformedReplyError where a length points outside the message. Source:
    include/uapi/linux/netlink.h (struct nlattr).
    """
    at, end = start, len(message)
    while at < end:
        if end - at < _ATTRIBUTE.size:
            raise MalformedReplyError(f"{end - at} bytes after the last netlink attribute")
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if not _ATTRIBUTE.size <= length <= end - at:
            raise MalformedReplyError(f"netlink attribute of {length} bytes where {end - at} are left")
        yield kind & _TYPE_MASK, at + _ATTRIBUTE.size, length - _ATTRIBUTE.size
        at += length + 3 & ~3
