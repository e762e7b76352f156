"""Waits for accept: which ports the filter of the request passes, and how old a connection is."""

from __future__ import annotations

import random
import socket
import struct
from contextlib import ExitStack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.sock_diag import accept_wait
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.dump import dump
from tests.kernel import bytecode
from tests.kernel.datagrams import ESTABLISHED, attribute, inet_row, tcp_info
from tests.kernel.diag_request import decoded

INFO, TOS = 2, 5
PORTS = st.integers(0, 65535)


def program_for(ports: range | set[int] | list[int]) -> bytes:
    return decoded(accept_wait.request(ports)).program


@pytest.mark.parametrize("size", [0, 4, 44, 47])
def test_a_row_without_the_time_is_malformed(size: int) -> None:
    short = inet_row(1, state=ESTABLISHED, inode=0, attributes=attribute(INFO, bytes(size)))
    with pytest.raises(MalformedReplyError):
        accept_wait.oldest([short])


@pytest.mark.parametrize("attributes", [b"", tcp_info(1)[:40]])
def test_a_row_without_tcp_info_is_malformed(attributes: bytes) -> None:
    row = inet_row(1, state=ESTABLISHED, inode=0, attributes=attributes)
    with pytest.raises(MalformedReplyError):
        accept_wait.oldest([row])


@pytest.mark.parametrize("more", [b"", attribute(TOS, b"\x10")])
def test_the_time_is_found_in_the_tcp_info_of_an_old_kernel(more: bytes) -> None:
    old = more + attribute(INFO, tcp_info(1500)[4:52]) + more
    row = inet_row(1, state=ESTABLISHED, inode=0, attributes=old)
    assert list(accept_wait.oldest([row]).values()) == [1.5]


@given(st.sets(PORTS, min_size=1, max_size=60), st.lists(PORTS, max_size=60))
@example({80}, [79, 81])
@example({0, 65535}, [1])
def test_the_filter_passes_these_ports_and_no_other(ports: set[int], others: list[int]) -> None:
    program = program_for(ports)
    assert bytecode.is_accepted(program)
    nearby = {port + step for port in ports for step in (-1, 1)} & set(range(65536))
    for port in {*ports, *others, *nearby}:
        assert bytecode.passes(program, port) == (port in ports)


def test_the_filter_may_have_max_ports() -> None:
    ports = range(1, 2 * accept_wait.MAX_PORTS, 2)
    program = program_for(ports)
    assert len(ports) == accept_wait.MAX_PORTS
    assert bytecode.is_accepted(program)
    for port in (0, 1, 2, 1000, 1001, ports[-1] - 1, ports[-1], ports[-1] + 1):
        assert bytecode.passes(program, port) == (port in ports)


@given(st.lists(PORTS, min_size=1, max_size=20))
def test_neither_order_nor_repetition_of_ports_matters(ports: list[int]) -> None:
    program = program_for(ports)
    assert bytecode.is_accepted(program)
    assert all(bytecode.passes(program, port) for port in ports)
    assert accept_wait.request(sorted(ports)) == accept_wait.request(ports)


@pytest.mark.parametrize("change", [-4, 4])
def test_the_interpreter_of_the_tests_refuses_a_wrong_jump(change: int) -> None:
    program = bytearray(program_for({80, 81}))
    (jump,) = struct.unpack_from("=H", program, 10)
    struct.pack_into("=H", program, 10, jump + change)
    assert not (bytecode.is_accepted(bytes(program)) and bytecode.passes(bytes(program), 80))


@pytest.mark.netns
@pytest.mark.parametrize("count", [1, 2, 500, accept_wait.MAX_PORTS])
def test_the_kernel_accepts_the_filter_and_passes_the_same_ports(count: int) -> None:
    sockets = CachedSocket()
    with ExitStack() as stack:
        listening = range(20000, 20040)
        for port in listening:
            server = stack.enter_context(socket.create_server(("127.0.0.1", port)))
            stack.enter_context(socket.create_connection(server.getsockname()))
        for _ in range(5):
            asked = random.sample(listening, min(count, 20))
            asked += random.sample(range(1, 20000), count - len(asked))
            found = accept_wait.oldest(dump(accept_wait.request(asked), sockets))
            assert {endpoint.port for endpoint in found} == set(asked) & set(listening)
