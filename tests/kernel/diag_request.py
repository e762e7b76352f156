"""Decoding requests of the old type 18 as the kernel does (inet_diag_dump_compat, net/ipv4/inet_diag.c)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("=IHHII")
# struct inet_diag_req: family, lengths, extensions; ports; addresses; interface, cookie; states, dbs.
_BODY = struct.Struct("=4B 4s 32s III II")
_ATTRIBUTE = struct.Struct("=HH")


@dataclass(frozen=True)
class DiagRequest:
    """What the kernel reads; `program` is the filter."""

    message_type: int
    flags: int
    sequence: int
    port_id: int
    family: int
    extensions: int
    states: set[int]
    program: bytes


def decoded(data: bytes) -> DiagRequest:
    """Decode a request."""
    length, message_type, flags, sequence, port_id = _HEADER.unpack_from(data)
    assert length == len(data)
    family, _, _, extensions, ports, addresses, _, *_, states, _ = _BODY.unpack_from(data, _HEADER.size)
    assert (ports, addresses) == (bytes(4), bytes(32))
    program = b""
    rest = data[_HEADER.size + _BODY.size :]
    if rest:
        size, name = _ATTRIBUTE.unpack_from(rest)
        assert (size, name) == (len(rest), 1)
        program = rest[_ATTRIBUTE.size :]
    asked = {bit for bit in range(32) if states >> bit & 1}
    return DiagRequest(message_type, flags, sequence, port_id, family, extensions, asked, program)
