"""The socket that stays open: one for all dumps, and never one that an error has touched."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from exporter.kernel.errors import UnavailableError
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.dump import dump
from exporter.kernel.sock_diag.requests import TCP_LISTENERS, UNIX_LISTENERS, mptcp_listeners


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 # a count is all that is wanted


class OpenedDescriptors:
    """Opens sockets and remembers them."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []

    def __call__(self) -> socket.socket:
        """Open one more."""
        opened, other = socket.socketpair()
        other.close()
        self.sockets.append(opened)
        return opened

    @property
    def closed(self) -> list[bool]:
        """Which of them are closed."""
        return [opened.fileno() == -1 for opened in self.sockets]


@pytest.fixture
def opened() -> Iterator[OpenedDescriptors]:
    made = OpenedDescriptors()
    yield made
    for each in made.sockets:
        each.close()


def test_one_socket_serves_one_dump_after_another(opened: OpenedDescriptors) -> None:
    kept = CachedSocket(opened)
    lent = []
    for _ in range(3):
        with kept() as channel:
            lent.append(channel)
    assert lent == opened.sockets * 3
    assert opened.closed == [False]


def test_after_an_error_the_next_gets_a_fresh_one(opened: OpenedDescriptors) -> None:
    kept = CachedSocket(opened)
    with pytest.raises(OSError, match="busy"), kept():
        raise OSError("busy")
    with kept():
        assert opened.closed == [True, False]


def test_who_asks_meanwhile_gets_one_of_their_own_that_is_closed_after(opened: OpenedDescriptors) -> None:
    kept = CachedSocket(opened)
    with kept() as first, kept() as second:
        assert first is not second
    assert sorted(opened.closed) == [False, True]


@pytest.mark.netns
def test_dumps_of_all_kinds_leave_one_descriptor_open() -> None:
    kept = CachedSocket()
    with socket.create_server(("127.0.0.1", 0)):
        list(dump(TCP_LISTENERS, kept))
        before = open_descriptors()
        for _ in range(50):
            assert len(list(dump(TCP_LISTENERS, kept))) == 1
            list(dump(UNIX_LISTENERS, kept))
            half = dump(TCP_LISTENERS, kept)
            next(half)
            half.close()
            try:
                list(dump(mptcp_listeners(socket.AF_UNIX), kept))
            except UnavailableError:
                list(dump(TCP_LISTENERS, kept))
        assert open_descriptors() == before


@pytest.mark.netns
def test_a_dump_after_one_left_half_way_is_whole() -> None:
    kept = CachedSocket()
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(500)]
    whole = list(dump(TCP_LISTENERS, kept))
    half = dump(TCP_LISTENERS, kept)
    next(half)
    half.close()
    assert list(map(len, dump(TCP_LISTENERS, kept))) == list(map(len, whole))
    assert len(whole) > 1
    del servers
