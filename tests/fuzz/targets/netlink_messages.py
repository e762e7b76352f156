"""A datagram of netlink is split into messages without loss, or is malformed; so are attributes."""

from __future__ import annotations

from contextlib import suppress
from itertools import zip_longest

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.sock_diag.messages import (
    HEADER_BYTES,
    attributes,
    different_messages,
    messages,
    row_size,
)
from tests.fuzz.target import Target, parts


def run(data: bytes) -> None:
    """Split two datagrams, and compare them as the next dump is compared with the one before."""
    old, new = parts(data, 2)
    before, after = _split(old), _split(new)
    if before is not None:
        try:
            found = list(different_messages(old, new))
        except MalformedReplyError:
            assert after is None
        else:
            positions = zip_longest(before, after or [], fillvalue=b"")
            assert found == [pair for pair in positions if pair[0] != pair[1]]


def _split(datagram: bytes) -> list[bytes] | None:
    try:
        found = messages(datagram)
    except MalformedReplyError:
        return None
    at = 0
    for message in found:
        assert datagram[at : at + len(message)] == message
        at += len(message) + 3 & ~3
        with suppress(MalformedReplyError):
            for _, start, size in attributes(message, HEADER_BYTES):
                assert start > HEADER_BYTES
                assert 0 <= size <= len(message) - start
    assert at >= len(datagram)
    size = row_size(datagram)
    assert not size or {len(message) for message in found} == {size}
    return found


TARGET = Target(run, max_bytes=4096)
