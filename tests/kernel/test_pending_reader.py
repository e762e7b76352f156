"""Reading the connections that no program has accepted, and the limits of that."""

from __future__ import annotations

import socket
from itertools import count

import pytest

from exporter.kernel import pending_reader
from exporter.kernel.errors import KernelError
from exporter.kernel.pending_reader import read_pending
from exporter.kernel.records import Endpoint
from exporter.kernel.sock_diag import accept_wait, syn_recv
from tests.kernel.datagrams import ESTABLISHED, SYN_RECV, datagram, done, error, inet_row, tcp_info, with_peer
from tests.kernel.fake_kernel import FakeKernel

LOCAL = Endpoint(socket.AF_INET, socket.inet_aton("127.0.0.1"), 8000, 0)
CLIENTS = ("192.0.2.1", "192.0.2.2")


def syn_recv_row(client: str) -> bytes:
    return with_peer(inet_row(1, state=SYN_RECV), client)


def waiting(cookie: int, client: str = CLIENTS[0]) -> bytes:
    row = inet_row(cookie, state=ESTABLISHED, inode=0, attributes=tcp_info(1500))
    return with_peer(row, client)


def kernel(*dumps: tuple[bytes, ...]) -> FakeKernel:
    """One that answers these dumps, one after the other."""
    made = FakeKernel()
    made.following = [(*each, done()) for each in dumps]
    return made


def test_waiting_connections_are_told_one_by_one_and_half_open_ones_counted() -> None:
    asked = kernel(
        (syn_recv_row(CLIENTS[0]), syn_recv_row(CLIENTS[1]), syn_recv_row(CLIENTS[0])),
        (waiting(7, CLIENTS[1]),),
    )
    found = read_pending({8000}, asked, lambda: 0.0, 2.0)
    first, second = map(socket.inet_aton, CLIENTS)
    assert found.syn_recv == {(LOCAL, first): 2, (LOCAL, second): 1}
    assert [(each.local, each.peer_address, each.seconds) for each in found.waiting] == [(LOCAL, second, 1.5)]
    assert found.complete
    assert asked.requests == [syn_recv.request_at_ports({8000}), accept_wait.request_at_ports({8000})]
    assert asked.all_closed()


@pytest.mark.parametrize(("more", "complete"), [(0, True), (1, False)])
def test_no_more_rows_are_read_than_the_limit(more: int, *, complete: bool) -> None:
    number = pending_reader.MAX_CONNECTIONS + more
    asked = kernel(
        (), tuple(datagram([waiting(1)] * 100) for _ in range(number // 100)) + (waiting(1),) * more
    )
    found = read_pending({8000}, asked, lambda: 0.0, 2.0)
    assert len(found.waiting) == pending_reader.MAX_CONNECTIONS
    assert found.complete is complete
    assert asked.all_closed()


def test_half_open_connections_have_the_same_limit_and_hide_no_waiting_ones() -> None:
    flood = tuple(
        datagram([syn_recv_row(CLIENTS[0])] * 100) for _ in range(pending_reader.MAX_CONNECTIONS // 100)
    )
    asked = kernel((*flood, syn_recv_row(CLIENTS[1])), (waiting(1),))
    found = read_pending({8000}, asked, lambda: 0.0, 2.0)
    assert sum(found.syn_recv.values()) == pending_reader.MAX_CONNECTIONS
    assert len(found.waiting) == 1
    assert not found.complete


def test_after_its_time_nothing_more_is_read_and_no_socket_stays_busy() -> None:
    """An abandoned dump leaves its socket busy (EBUSY), so that it is closed."""
    ticks = count()
    asked = kernel((), tuple(waiting(cookie) for cookie in range(1, 20)))
    found = read_pending({8000}, asked, lambda: float(next(ticks)), 4.0)
    assert [each.cookie for each in found.waiting] == [1, 2, 3, 4, 5]
    assert not found.complete
    assert asked.all_closed()


def test_an_error_of_the_kernel_is_raised() -> None:
    asked = FakeKernel(error(-13))
    with pytest.raises(KernelError):
        read_pending({8000}, asked, lambda: 0.0, 2.0)
    assert asked.all_closed()
