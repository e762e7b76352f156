"""What full means: backlog + 1 connections of the fullest socket, and sometimes more."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from testbed import namespace, syscalls
from testbed.daemon import Daemon, running
from testbed.waiting import until_equal
from tests.integration import listening_sockets, reference
from tests.integration.metric_values import EAGER, figure, until_figure
from tests.integration.reference import Endpoint, Figures

RATIO = "accept_utilization_ratio"
QUEUE = Endpoint("tcp", "127.0.0.1", "8080")


def tcp_queue(backlog: int) -> socket.socket:
    return listening_sockets.tcp("127.0.0.1", backlog=backlog)


def unix_queue(backlog: int) -> socket.socket:
    return listening_sockets.unix("\0queue", backlog=backlog)


EACH_PROTOCOL = pytest.mark.parametrize("listen", [tcp_queue, unix_queue])


@pytest.mark.netns
@EACH_PROTOCOL
@pytest.mark.parametrize("backlog", [0, 1, 7])
def test_full_is_one_more_than_the_backlog(listen: Callable[[int], socket.socket], backlog: int) -> None:
    """The ratio is exactly 1 where the next client is refused, and below while one more fits."""
    with ExitStack() as stack, listen(backlog) as listener, running(config=EAGER) as daemon:
        labels = _labels(listener)
        for waiting in range(1, backlog + 2):
            stack.enter_context(listening_sockets.clients(listener, 1)[0])
            until_figure(daemon, waiting, "accept_length", **labels)
            assert figure(daemon, RATIO, **labels) == waiting / (backlog + 1)
        assert figure(daemon, RATIO, **labels) == 1
        assert figure(daemon, "accept_limit", **labels) == backlog
        assert _refuses(listener)


@pytest.mark.netns
@EACH_PROTOCOL
def test_a_second_listen_with_a_smaller_backlog_leaves_more_waiting_than_fit(
    listen: Callable[[int], socket.socket],
) -> None:
    with listen(10) as listener, running(config=EAGER) as daemon:
        waiting = listening_sockets.clients(listener, 11)
        listener.listen(3)
        found = next(figures for key, figures in _settled(daemon).items() if key.port in ("", "8080"))
        assert (found.length, found.limit, found.ratio) == (11, 3, 11 / 4)
        assert figure(daemon, "accept_peak_utilization_ratio", **_labels(listener)) == 11 / 4
        for client in waiting:
            client.close()


@pytest.mark.netns
def test_one_full_member_of_a_group_is_full_while_the_sum_looks_idle() -> None:
    """The kernel picks a member by hash and does not look at fullness: clients of a full one are refused."""
    small = listening_sockets.tcp("127.0.0.1", backlog=0, reuse_port=True)
    group = [small, *(listening_sockets.tcp("127.0.0.1", backlog=1000, reuse_port=True) for _ in range(3))]
    with ExitStack() as stack, running(config=EAGER) as daemon:
        for each in group:
            stack.enter_context(each)
        # Three of four clients go elsewhere: that all of 200 do has a chance of 1 in 10^25.
        for _ in range(200):
            stack.enter_context(listening_sockets.clients(small, 1)[0])
            if reference.from_ss()[QUEUE].ratio == 1:
                break
        full = _settled(daemon)[QUEUE]
        assert full.limit is not None
        assert full.sockets == 4
        assert full.limit == 3000
        assert full.ratio == 1
        assert full.length < full.limit / 10


@pytest.mark.netns
def test_the_length_of_a_group_is_the_sum_and_its_ratio_that_of_the_fullest() -> None:
    group = [
        listening_sockets.tcp("127.0.0.1", backlog=backlog, reuse_port=True)
        for backlog in (99, 199, 299, 399)
    ]
    with ExitStack() as stack, running(config=EAGER) as daemon:
        for each in [*group, *listening_sockets.clients(group[0], 60)]:
            stack.enter_context(each)
        group_of_four = _settled(daemon)[QUEUE]
        assert group_of_four.length == 60
        assert group_of_four.limit == 99 + 199 + 299 + 399
        assert group_of_four.ratio is not None
        assert group_of_four.ratio > 60 / (group_of_four.limit + 4)


@pytest.mark.netns
def test_somaxconn_cuts_a_backlog_when_listen_is_called_and_stands_for_a_negative_one() -> None:
    namespace.write_sysctl("net.core.somaxconn", 50)
    cut = listening_sockets.tcp("127.0.0.1", 8081, backlog=4096)
    negative = listening_sockets.tcp("127.0.0.1", 8082, backlog=1)
    # The C library's listen(fd, -1); Python's own makes 0 of it.
    _listen_with_negative_backlog(negative)
    namespace.write_sysctl("net.core.somaxconn", 60)
    later = listening_sockets.tcp("127.0.0.1", 8083, backlog=4096)
    with cut, negative, later, running(config=EAGER) as daemon:
        limits = {key.port: found.limit for key, found in _settled(daemon).items() if key.port != "10511"}
        assert limits == {"8081": 50, "8082": 50, "8083": 60}
        until_figure(daemon, 60, "sysctl_net_core_somaxconn")


def _settled(daemon: Daemon) -> dict[Endpoint, Figures]:
    return until_equal(lambda: reference.from_page(daemon), reference.from_ss)


def _labels(listener: socket.socket) -> dict[str, str]:
    return {"protocol": "unix"} if listener.family == socket.AF_UNIX else {"protocol": "tcp", "port": "8080"}


def _listen_with_negative_backlog(listener: socket.socket) -> None:
    syscalls.call("listen", listener.fileno(), -1)


def _refuses(listener: socket.socket) -> bool:
    """Whether one more client has to wait outside."""
    with socket.socket(listener.family, listener.type) as client:
        client.settimeout(0.2)
        try:
            client.connect(listener.getsockname())
        except (TimeoutError, BlockingIOError):
            return True
        return False
