"""What the filter of a request passes: sockets at some ports, or of some cgroups, in whatever state."""

from __future__ import annotations

import random
import socket
import struct
from contextlib import ExitStack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.kernel.sock_diag import accept_wait, socket_filter, syn_recv
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.dump import dump
from testbed import flood
from tests.integration import listening_sockets
from tests.kernel import bytecode
from tests.kernel.diag_request import decoded

PORTS = st.integers(0, 65535)


def program_for(ports: range | set[int] | list[int]) -> bytes:
    return decoded(accept_wait.request_at_ports(ports)).program


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
    ports = range(1, 2 * socket_filter.MAX_PORTS, 2)
    program = program_for(ports)
    assert len(ports) == socket_filter.MAX_PORTS
    assert bytecode.is_accepted(program)
    for port in (0, 1, 2, 1000, 1001, ports[-1] - 1, ports[-1], ports[-1] + 1):
        assert bytecode.passes(program, port) == (port in ports)


def test_the_filter_may_have_max_cgroups() -> None:
    cgroups = range(1, socket_filter.MAX_CGROUPS + 1)
    program = decoded(accept_wait.request_in_cgroups(cgroups)).program
    assert bytecode.is_accepted(program)
    for cgroup in (1, 2, cgroups[-1], cgroups[-1] + 1):
        assert bytecode.passes(program, 80, cgroup) == (cgroup in cgroups)


@given(st.lists(PORTS, min_size=1, max_size=20))
def test_neither_order_nor_repetition_of_ports_matters(ports: list[int]) -> None:
    program = program_for(ports)
    assert bytecode.is_accepted(program)
    assert all(bytecode.passes(program, port) for port in ports)
    assert accept_wait.request_at_ports(sorted(ports)) == accept_wait.request_at_ports(ports)


@pytest.mark.parametrize("change", [-4, 4])
def test_the_interpreter_of_the_tests_refuses_a_wrong_jump(change: int) -> None:
    program = bytearray(program_for({80, 81}))
    (jump,) = struct.unpack_from("=H", program, 10)
    struct.pack_into("=H", program, 10, jump + change)
    assert not (bytecode.is_accepted(bytes(program)) and bytecode.passes(bytes(program), 80))


@pytest.mark.netns
@pytest.mark.parametrize("count", [1, 2, 500, socket_filter.MAX_PORTS])
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
            found = accept_wait.waiting(dump(accept_wait.request_at_ports(asked), sockets))
            assert {connection.local.port for connection in found} == set(asked) & set(listening)


@pytest.mark.netns
@pytest.mark.parametrize("address", [listening_sockets.TUN_IPV4, listening_sockets.TUN_IPV6])
def test_half_open_connections_are_filtered_too(address: str) -> None:
    """Request sockets are no whole sockets; the kernel reads their port all the same."""
    with flood.Tun() as tun, ExitStack() as stack:
        for port in (8080, 8081):
            stack.enter_context(listening_sockets.tcp(address, port))
            flood.syn_flood(tun, address, port, port - 8077)
        sockets = CachedSocket()
        for port, count in ((8080, 3), (8081, 4), (8082, 0)):
            found = list(syn_recv.peers(dump(syn_recv.request_at_ports({port}), sockets)))
            assert [local.port for local, _ in found] == [port] * count


CGROUPS = st.integers(1, 2**64 - 1)


@given(st.sets(CGROUPS, min_size=1, max_size=20), st.lists(CGROUPS, max_size=20))
def test_the_filter_passes_these_cgroups_and_no_other(cgroups: set[int], others: list[int]) -> None:
    program = decoded(accept_wait.request_in_cgroups(cgroups)).program
    assert bytecode.is_accepted(program)
    for cgroup in {*cgroups, *others}:
        assert bytecode.passes(program, 80, cgroup) == (cgroup in cgroups)
