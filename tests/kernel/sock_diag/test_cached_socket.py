"""The socket that stays open: one for all dumps, and never one with which a dump has failed."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from exporter.kernel.errors import UnavailableError
from exporter.kernel.family import FAMILIES, TCP
from exporter.kernel.sock_diag import mptcp
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.dump import dump
from tests.broker.namespaced_process import descriptors as own_descriptors

LISTENERS = TCP.rows.requests[0]
NO_FAMILY = 0
pytestmark = pytest.mark.netns


def closed(*sockets: socket.socket) -> list[bool]:
    return [each.fileno() == -1 for each in sockets]


def test_one_socket_serves_one_dump_after_another() -> None:
    sockets = CachedSocket()
    used = []
    for _ in range(3):
        with sockets.borrow() as channel:
            used.append(channel)
    assert used == used[:1] * 3
    assert closed(used[0]) == [False]


def test_after_an_error_the_next_dump_gets_a_new_one() -> None:
    sockets = CachedSocket()
    with sockets.borrow() as channel:
        first = channel
    with pytest.raises(OSError, match="busy"), sockets.borrow():
        raise OSError("busy")
    with sockets.borrow() as channel:
        assert closed(first, channel) == [True, False]


def test_a_dump_beside_another_gets_a_socket_of_its_own_which_is_closed_after() -> None:
    sockets = CachedSocket()
    with sockets.borrow() as first, sockets.borrow() as second:
        assert first is not second
    assert sorted(closed(first, second)) == [False, True]


def test_the_socket_is_closed_with_its_owner() -> None:
    sockets = CachedSocket()
    with sockets.borrow() as channel:
        pass
    del sockets
    assert closed(channel) == [True]


def test_dumps_of_all_kinds_leave_one_descriptor_open() -> None:
    sockets = CachedSocket()
    with socket.create_server(("127.0.0.1", 0)):
        list(dump(LISTENERS, sockets))
        before = own_descriptors()
        for _ in range(50):
            for family in FAMILIES:
                list(dump(family.rows.requests[0], sockets))
            with closing(dump(LISTENERS, sockets)) as left:
                next(left)
            with pytest.raises(UnavailableError):
                list(dump(mptcp.request(NO_FAMILY), sockets))
            assert len(list(dump(LISTENERS, sockets))) == 1
        assert own_descriptors() == before


def test_a_dump_after_one_that_was_left_is_whole() -> None:
    sockets = CachedSocket()
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(500)]
    whole = list(dump(LISTENERS, sockets))
    with closing(dump(LISTENERS, sockets)) as left:
        next(left)
    assert list(map(len, dump(LISTENERS, sockets))) == list(map(len, whole))
    assert len(whole) > 1
    del servers
