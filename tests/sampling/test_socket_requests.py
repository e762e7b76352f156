"""Sockets for other threads than the one that samples."""

from __future__ import annotations

import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.sock_diag.diag_socket import DiagSockets
from exporter.sampling.socket_requests import RequestedSockets, SocketRequests
from testbed.waiting import DEADLINE_SECONDS, equals, until
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import real_time_sampler


class Sockets(DiagSockets):
    """Opens unix sockets, notes in which threads, and fails where it is told to."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.opened: list[socket.socket] = []
        self.error: KernelError | None = None

    def acquire(self) -> socket.socket:
        self.threads.append(threading.get_ident())
        if self.error is not None:
            raise self.error
        self.opened.append(socket.socket(socket.AF_UNIX))
        return self.opened[-1]

    def release(self, channel: socket.socket) -> None:
        raise AssertionError(f"{channel} was handed over and is not given back")


def readable(requests: SocketRequests, seconds: float = 0.0) -> bool:
    poll = select.poll()
    poll.register(requests.fileno(), select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def test_a_thread_gets_a_socket_that_the_sampling_thread_opens() -> None:
    requests, sockets = SocketRequests(), Sockets()
    requests.serve()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(requests.open, sockets)
        assert readable(requests, DEADLINE_SECONDS)
        assert sockets.threads == []
        requests.serve()
        with asked.result(DEADLINE_SECONDS) as opened:
            assert opened is sockets.opened[0]
    assert sockets.threads == [threading.get_ident()]
    assert not readable(requests)


def test_the_sampling_thread_itself_does_not_wait() -> None:
    """As in a command that samples once."""
    requests, sockets = SocketRequests(), Sockets()
    requests.serve()
    requests.open(sockets).close()
    assert not readable(requests)


def test_an_error_reaches_the_thread_that_asked_and_the_next_request_is_served() -> None:
    requests, sockets = SocketRequests(), Sockets()
    requests.serve()
    sockets.error = KernelError("cannot enter a network namespace", "ESRCH")
    with pytest.raises(KernelError, match="ESRCH"):
        requests.open(sockets)
    sockets.error = None
    requests.open(sockets).close()


def test_where_nobody_serves_it_fails_and_nothing_is_opened_later() -> None:
    requests, sockets = SocketRequests(), Sockets()
    with pytest.raises(KernelError, match="samples are late"):
        requests.open(sockets)
    requests.serve()
    assert sockets.threads == []


def test_dumps_one_after_the_other_share_a_socket_which_is_closed_at_the_end() -> None:
    requests, sockets = SocketRequests(), Sockets()
    requests.serve()
    with RequestedSockets(requests, sockets) as requested:
        for _ in range(2):
            with requested.borrow() as channel:
                assert channel.fileno() >= 0
        assert len(sockets.opened) == 1
        # After an abandoned dump the socket is closed, and the next gets another.
        with pytest.raises(RuntimeError), requested.borrow():
            raise RuntimeError
        with requested.borrow():
            pass
    assert [opened.fileno() for opened in sockets.opened] == [-1, -1]


def test_a_sampler_that_waits_for_its_next_tick_wakes_up() -> None:
    """Ticks alone would take ten seconds for so many."""
    sampler = real_time_sampler(FakeNamespace(lambda _seconds: None), "sampling: {interval: 4s}")
    sampler.start(failed=lambda: None)
    try:
        until(sampler.all_sources_ran, equals(wanted=True))
        began = time.monotonic()
        for _ in range(40):
            sampler.socket_requests.open(Sockets()).close()
        assert time.monotonic() - began < 5.0
    finally:
        sampler.stop(DEADLINE_SECONDS)
