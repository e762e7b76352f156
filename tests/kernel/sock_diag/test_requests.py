"""What the requests of the old type 18 say, and that the filter for ports takes those ports and no other."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.kernel.sock_diag import requests
from tests.kernel import bytecode

HEADER = struct.Struct("=IHHII")
# struct inet_diag_req: family, lengths, extensions; ports; addresses; interface, cookie; states, dbs.
BODY = struct.Struct("=4B 4s 32s III II")
ATTRIBUTE = struct.Struct("=HH")

NLM_F_REQUEST_DUMP = 0x301
ESTABLISHED, CLOSE_WAIT, LISTEN, NEW_SYN_RECV = 1, 8, 10, 12

PORTS = st.integers(0, 65535)


@dataclass(frozen=True)
class Request:
    """What the kernel would read (inet_diag_dump_compat, net/ipv4/inet_diag.c)."""

    kind: int
    flags: int
    sequence: int
    port_id: int
    family: int
    extensions: int
    states: set[int]
    program: bytes


def read(data: bytes) -> Request:
    length, kind, flags, sequence, port_id = HEADER.unpack_from(data)
    assert length == len(data)
    family, _, _, extensions, ports, addresses, _, *_, states, _ = BODY.unpack_from(data, HEADER.size)
    assert (ports, addresses) == (bytes(4), bytes(32))
    program = b""
    rest = data[HEADER.size + BODY.size :]
    if rest:
        size, name = ATTRIBUTE.unpack_from(rest)
        assert (size, name) == (len(rest), 1)
        program = rest[ATTRIBUTE.size :]
    wanted = {bit for bit in range(32) if states >> bit & 1}
    return Request(kind, flags, sequence, port_id, family, extensions, wanted, program)


@pytest.mark.parametrize(
    ("request_bytes", "states", "extensions"),
    [
        pytest.param(requests.TCP_LISTENERS, {LISTEN}, 1 << 6, id="listeners with SK_MEMINFO"),
        pytest.param(requests.SYN_RECV, {NEW_SYN_RECV}, 0, id="request sockets, not Fast Open children"),
        pytest.param(
            requests.waiting({80}), {ESTABLISHED, CLOSE_WAIT}, 1 << 1, id="connections with TCP_INFO"
        ),
    ],
)
def test_a_request_asks_for_both_families_at_once(
    request_bytes: bytes, states: set[int], extensions: int
) -> None:
    request = read(request_bytes)
    assert (request.kind, request.flags) == (18, NLM_F_REQUEST_DUMP)
    assert (request.sequence, request.port_id) == (1, 0)
    assert (request.family, request.states, request.extensions) == (0, states, extensions)


def test_only_the_request_for_waiting_connections_has_a_filter() -> None:
    assert read(requests.TCP_LISTENERS).program == b""
    assert read(requests.SYN_RECV).program == b""
    assert read(requests.waiting({80})).program != b""


@given(st.sets(PORTS, min_size=1, max_size=60), st.lists(PORTS, max_size=60))
@example({80}, [79, 81])
@example({0, 65535}, [1])
def test_the_filter_takes_these_ports_and_no_other(ports: set[int], others: list[int]) -> None:
    program = read(requests.waiting(ports)).program
    assert bytecode.is_accepted(program)
    nearby = {port + step for port in ports for step in (-1, 1)} & set(range(65536))
    for port in {*ports, *others, *nearby}:
        assert bytecode.takes(program, port) == (port in ports)


def test_the_filter_may_be_as_long_as_promised() -> None:
    ports = range(1, 2 * requests.MOST_PORTS, 2)
    program = read(requests.waiting(ports)).program
    assert len(ports) == requests.MOST_PORTS
    assert bytecode.is_accepted(program)
    for port in (0, 1, 2, 1000, 1001, ports[-1] - 1, ports[-1], ports[-1] + 1):
        assert bytecode.takes(program, port) == (port in ports)


@given(st.lists(PORTS, min_size=1, max_size=20))
def test_neither_order_nor_repetition_matters(ports: list[int]) -> None:
    program = read(requests.waiting(ports)).program
    assert bytecode.is_accepted(program)
    assert all(bytecode.takes(program, port) for port in ports)
    assert requests.waiting(sorted(ports)) == requests.waiting(ports)


@pytest.mark.parametrize("change", [-4, 4])
def test_the_interpreter_knows_a_jump_that_misses(change: int) -> None:
    program = bytearray(read(requests.waiting({80, 81})).program)
    (jump,) = struct.unpack_from("=H", program, 10)
    struct.pack_into("=H", program, 10, jump + change)
    assert not (bytecode.is_accepted(bytes(program)) and bytecode.takes(bytes(program), 80))
