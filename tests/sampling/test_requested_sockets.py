"""Sockets for other threads than the one that samples."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.sock_diag.diag_socket import DiagSockets
from exporter.sampling.requested_sockets import RequestedSockets
from exporter.sampling.thread_requests import ThreadRequests
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


def test_the_sampling_thread_opens_what_another_one_uses() -> None:
    requests, sockets = ThreadRequests(), Sockets()
    requests.serve()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(RequestedSockets(requests, sockets).acquire)

        def served() -> bool:
            requests.serve()
            return asked.done()

        until(served, bool)
        with asked.result() as opened:
            assert opened is sockets.opened[0]
    assert sockets.threads == [threading.get_ident()]


def test_an_error_of_the_kernel_reaches_the_thread_that_asked() -> None:
    requests, sockets = ThreadRequests(), Sockets()
    requests.serve()
    sockets.error = KernelError("cannot enter a network namespace", "ESRCH")
    with pytest.raises(KernelError, match="ESRCH"):
        RequestedSockets(requests, sockets).acquire()


def test_where_nobody_serves_it_fails_and_nothing_is_opened_later() -> None:
    requests, sockets = ThreadRequests(), Sockets()
    with pytest.raises(KernelError, match="samples are late"):
        RequestedSockets(requests, sockets).acquire()
    requests.serve()
    assert sockets.threads == []


def test_dumps_one_after_the_other_share_a_socket_which_is_closed_at_the_end() -> None:
    requests, sockets = ThreadRequests(), Sockets()
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
            sampler.requests.call(Sockets().acquire, DEADLINE_SECONDS).close()
        assert time.monotonic() - began < 5.0
    finally:
        sampler.stop(DEADLINE_SECONDS)
