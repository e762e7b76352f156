"""Sockets of sock_diag: datagrams of others than the kernel are dropped and counted, never read."""

from __future__ import annotations

import errno
import socket
import time
from typing import ClassVar

import pytest

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.family import TCP
from exporter.kernel.sock_diag.diag_socket import (
    NETLINK_SOCK_DIAG,
    DiagSockets,
    ForeignDatagrams,
    accept_kernel_only,
    open_socket,
)
from exporter.kernel.sock_diag.dump import dump
from exporter.kernel.sock_diag.messages import messages
from testbed import seccomp
from tests.kernel.datagrams import done, tcp_row

ROW = tcp_row(1)


class OneSocket(DiagSockets):
    """Gives this socket to every dump."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.released = 0

    def acquire(self) -> socket.socket:
        """Return the socket."""
        return self._channel

    def release(self, channel: socket.socket) -> None:
        """Leave it open."""
        assert channel is self._channel
        self.released += 1


def unconnected() -> socket.socket:
    """Return a socket that anybody may send to."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    opened.bind((0, 0))
    return opened


def ports(channel: socket.socket) -> list[str]:
    """Return the ports of the listeners in a dump over this socket."""
    datagrams = dump(TCP.rows.requests[0], OneSocket(channel))
    return sorted(TCP.rows.listener(row).port for datagram in datagrams for row in messages(datagram))


@pytest.mark.netns
@pytest.mark.parametrize("count", [0, 1, 20])
def test_datagrams_that_others_sent_before_are_counted_and_not_read(count: int) -> None:
    foreign_datagrams = ForeignDatagrams()
    with socket.create_server(("127.0.0.1", 80)), unconnected() as channel, unconnected() as sender:
        for _ in range(count):
            sender.sendto(ROW + done(), channel.getsockname())
        accept_kernel_only(channel, foreign_datagrams)
        assert foreign_datagrams.count == count
        with pytest.raises(ConnectionRefusedError):
            sender.sendto(ROW + done(), channel.getsockname())
        assert ports(channel) == ["80"]
    assert foreign_datagrams.count == count


@pytest.mark.netns
def test_datagrams_that_overflowed_the_receive_buffer_are_counted() -> None:
    foreign_datagrams = ForeignDatagrams()
    with socket.create_server(("127.0.0.1", 80)), unconnected() as channel, unconnected() as sender:
        sender.settimeout(0)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sent, lost = 0, 0
        for _ in range(200):
            try:
                sender.sendto(ROW, channel.getsockname())
                sent += 1
            except OSError:
                lost += 1
        assert sent
        assert lost
        accept_kernel_only(channel, foreign_datagrams)
        assert sent <= foreign_datagrams.count <= sent + lost
        assert ports(channel) == ["80"]


def test_an_overflow_counts_and_any_other_error_is_raised() -> None:
    class Overflowing(socket.socket):
        errors: ClassVar = [errno.ENOBUFS, errno.ENOBUFS, errno.EIO]

        def connect(self, _address: object) -> None:
            """Do nothing."""

        def recv(self, _size: int, _flags: int = 0) -> bytes:
            """Fail with one error after the other."""
            raise OSError(self.errors.pop(0), "receive")

    foreign_datagrams = ForeignDatagrams()
    with (
        Overflowing(socket.AF_NETLINK, socket.SOCK_RAW) as channel,
        pytest.raises(OSError, match="receive") as raised,
    ):
        accept_kernel_only(channel, foreign_datagrams)
    assert raised.value.errno == errno.EIO
    assert foreign_datagrams.count == 2


@pytest.mark.netns
def test_a_socket_that_was_opened_receives_from_the_kernel_only() -> None:
    """Without connect() a process with CAP_NET_ADMIN over the namespace could write into it."""
    with open_socket(ForeignDatagrams()) as channel, unconnected() as sender:
        for _ in range(100):
            with pytest.raises(ConnectionRefusedError):
                sender.sendto(ROW, channel.getsockname())
        with pytest.raises(BlockingIOError):
            channel.recv(65536, socket.MSG_DONTWAIT)
        assert ports(channel) == []


@pytest.mark.netns
def test_a_kernel_that_does_not_reply_is_waited_for_a_second() -> None:
    started = time.monotonic()
    with open_socket(ForeignDatagrams()) as channel, pytest.raises(BlockingIOError):
        channel.recv(65536)
    assert 0.9 < time.monotonic() - started < 4


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.EPERM, errno.EAFNOSUPPORT, errno.EACCES])
def test_a_socket_that_a_filter_forbids_is_unavailable(number: int) -> None:
    seccomp.deny_socket_family(socket.AF_NETLINK, number)
    with pytest.raises(UnavailableError) as refused:
        open_socket(ForeignDatagrams())
    assert (refused.value.reason, refused.value.errno) == (errno.errorcode[number], number)


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.ENOMEM])
def test_a_socket_that_cannot_be_opened_for_want_of_memory_is_a_kernel_error(number: int) -> None:
    seccomp.deny_socket_family(socket.AF_NETLINK, number)
    with pytest.raises(KernelError) as refused:
        open_socket(ForeignDatagrams())
    assert type(refused.value) is KernelError
    assert refused.value.errno == number


def test_a_borrowed_socket_is_released_after_a_success_and_closed_after_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sockets = OneSocket(ours)
        with sockets.borrow() as channel:
            assert channel is ours
        assert (sockets.released, ours.fileno() == -1) == (1, False)
        with pytest.raises(ZeroDivisionError), sockets.borrow():
            raise ZeroDivisionError
        assert (sockets.released, ours.fileno() == -1) == (1, True)
