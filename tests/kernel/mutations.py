"""Bytes that differ a little, or entirely, from what a kernel sends."""

from __future__ import annotations

import struct
from functools import cache

from hypothesis import strategies as st

from exporter.kernel.sock_diag.messages import HEADER_BYTES
from tests.kernel import recordings

# Lengths at the limits: nothing, less than a header, odd ones, a whole message, more than that.
_LENGTHS = (0, 1, 3, 4, 5, 7, 8, 15, 16, 17, 20, 32, 71, 72, 88, 89, 0x7FFF, 0x8000, 0xFFFF)
_NUMBERS = (*_LENGTHS, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@cache
def recorded_datagrams() -> tuple[bytes, ...]:
    """Every datagram of every recording, the long ones cut off so that a test can try many."""
    found = [datagram for name in recordings.names() for datagram in recordings.load(name).datagrams]
    return tuple(datagram[:3000] for datagram in found)


@cache
def recorded_rows() -> tuple[bytes, ...]:
    """The messages of all recordings."""
    rows = []
    for datagram in recorded_datagrams():
        at = 0
        while at < len(datagram):
            (length,) = struct.unpack_from("=I", datagram, at)
            rows.append(datagram[at : at + length])
            at += length + 3 & ~3
    return tuple(dict.fromkeys(rows))


@st.composite
def mutated(draw: st.DrawFn, originals: tuple[bytes, ...]) -> bytes:
    """One of `originals` with a few of its bytes, lengths or ends changed."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["byte", "u16", "u32", "cut", "grow", "drop", "repeat"])):
            case "byte" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "u16" if at + 2 <= len(data):
                struct.pack_into("=H", data, at & ~1, draw(st.sampled_from(_LENGTHS)))
            case "u32" if at + 4 <= len(data):
                struct.pack_into("=I", data, at & ~3, draw(st.sampled_from(_NUMBERS)))
            case "cut":
                del data[at:]
            case "grow":
                data += draw(st.binary(max_size=40))
            case "drop":
                del data[at : at + draw(st.integers(1, 24))]
            case "repeat":
                data[at:at] = data[at : at + draw(st.integers(1, 24))]
    return bytes(data)


def with_length(data: bytes) -> bytes:
    """Write the right length into a message, so that a decoder reads on after the header."""
    return struct.pack("=I", len(data)) + data[4:] if len(data) >= HEADER_BYTES else data


ANY = st.binary(max_size=300)


def any_datagram() -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, or a recorded datagram changed a little."""
    return ANY | mutated(recorded_datagrams())


def any_row() -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, or a recorded row changed a little, its length right or wrong."""
    changed = mutated(recorded_rows())
    return ANY | changed | changed.map(with_length) | st.sampled_from(recorded_rows())
