"""Packets dropped at a listener, and the counters of the namespace beside them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import flood, namespace
from testbed.daemon import Daemon, running
from testbed.waiting import equals, until, until_equal
from tests.integration import listening_sockets, reference
from tests.integration.metric_values import EAGER, figure, until_figure
from tests.integration.reference import Endpoint, Figures

DROPS = "drops_total"
PLACE = Endpoint("tcp", "127.0.0.1", "8080")

# The counters of the page, by their names in /proc/net/netstat.
COUNTERS = {
    "ListenOverflows": "listen_overflows",
    "ListenDrops": "listen_drops",
    "TCPReqQFullDrop": "syn_queue_full_drops",
    "TCPReqQFullDoCookies": "syn_queue_full_cookies",
    "SyncookiesSent": "syncookies_sent",
    "SyncookiesRecv": "syncookies_received",
    "SyncookiesFailed": "syncookies_failed",
}
SYSCTLS = {
    "net.core.somaxconn": 999,
    "net.ipv4.tcp_max_syn_backlog": 77,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.tcp_abort_on_overflow": 1,
}


def in_proc() -> dict[str, float]:
    """TcpExt of this namespace."""
    lines = [line.split() for line in Path("/proc/net/netstat").read_text().splitlines()]
    names, values = (line for line in lines if line[0] == "TcpExt:")
    return {name: float(value) for name, value in zip(names, values, strict=True) if name in COUNTERS}


def on_page(daemon: Daemon) -> dict[str, float]:
    """The same from the page."""
    page = daemon.metrics()
    return {
        name: page.value(f"listen_queue_netns_{counter}_total", netns="host")
        for name, counter in COUNTERS.items()
    }


def overflow(listener: socket.socket, stack: ExitStack, refused: int = 3) -> None:
    """Fill the queue of a listener with backlog 0, and return when the kernel has refused so many more."""
    for client in listening_sockets.clients(listener, 1):
        stack.enter_context(client)
    until(lambda: reference.accept_length_of(listener), equals(1))
    before = in_proc()["ListenOverflows"]
    for _ in range(refused):
        stack.enter_context(listening_sockets.refused_client(listener))
    until(lambda: in_proc()["ListenOverflows"], lambda now: now >= before + refused)


@pytest.mark.netns
def test_drops_are_those_of_the_socket_and_move_for_the_listener_that_overflows_only() -> None:
    with ExitStack() as stack, running(config=EAGER) as daemon:
        victim = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=0))
        stack.enter_context(listening_sockets.tcp("127.0.0.1", 8081, backlog=0))
        stack.enter_context(listening_sockets.unix("\0queue", backlog=0))
        overflow(victim, stack, refused=5)
        until_dropped(daemon, 5)
        for more in (6, 7):
            stack.enter_context(listening_sockets.refused_client(victim))
            page = until_dropped(daemon, more)
            assert page[PLACE._replace(port="8081")].drops == 0

        def of_all() -> set[float | None]:
            found = daemon.metrics()
            return {
                found.value("listen_queue_drops_total", port="8080"),
                found.value("listen_queue_netns_listen_overflows_total"),
                found.value("listen_queue_netns_listen_drops_total"),
            }

        until(of_all, lambda found: len(found) == 1 and found != {0})
        until_equal(lambda: on_page(daemon), in_proc)


@pytest.mark.netns
def test_every_counter_of_the_namespace_is_that_of_proc_and_moves_with_it() -> None:
    namespace.write_sysctl("net.ipv4.tcp_syncookies", 1)
    with ExitStack() as stack, flood.Tun() as tun, running(config=EAGER) as daemon:
        victim = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=0))
        stack.enter_context(listening_sockets.tcp(listening_sockets.TUN_IPV4, backlog=4))
        # Closed, so that none of them is tried again.
        with ExitStack() as clients:
            overflow(victim, clients)
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 20)
        # More where a backlog of 0 has no place for a half-open connection (exporter.kernel.syn_queue).
        first = until_equal(
            lambda: on_page(daemon),
            in_proc,
            lambda found: min(found["TCPReqQFullDoCookies"], found["SyncookiesSent"]) >= 15,
        )
        namespace.write_sysctl("net.ipv4.tcp_syncookies", 0)
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 20, first=20)
        # All of them; less if the kernel had time to give up those of the first flood.
        found = until_equal(lambda: on_page(daemon), in_proc, lambda found: found["TCPReqQFullDrop"] >= 15)
        assert found["SyncookiesSent"] == first["SyncookiesSent"]
        until_figure(daemon, found["TCPReqQFullDrop"], DROPS, address=listening_sockets.TUN_IPV4)


@pytest.mark.netns
def test_sysctls_are_those_of_the_namespace_and_follow_a_change() -> None:
    with running(config=EAGER) as daemon:
        for change in (0, 1):
            for name, value in SYSCTLS.items():
                namespace.write_sysctl(name, value + change)
            for name, value in SYSCTLS.items():
                until_figure(daemon, value + change, f"sysctl_{name.replace('.', '_')}", netns="host")


@pytest.mark.netns
def test_drops_go_on_when_a_service_restarts() -> None:
    """The new socket counts from zero; what the old one dropped stays."""
    with ExitStack() as stack, running(config=EAGER) as daemon:
        first = listening_sockets.tcp("127.0.0.1", backlog=0)
        before = overflow_and_close_clients(daemon, first)
        first.close()
        until_figure(daemon, None, DROPS, port="8080")
        second = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=0))
        until_figure(daemon, before, DROPS, port="8080")
        assert in_ss() == 0
        overflow(second, stack)
        until_equal(
            lambda: figure(daemon, DROPS, port="8080"),
            lambda: before + in_ss(),
            lambda drops: drops is not None and drops >= before + 3,
        )


@pytest.mark.netns
def test_a_member_of_a_group_that_leaves_takes_no_drops_with_it() -> None:
    with running(config=EAGER) as daemon:
        leaving = listening_sockets.tcp("127.0.0.1", backlog=0, reuse_port=True)
        before = overflow_and_close_clients(daemon, leaving)
        with listening_sockets.tcp("127.0.0.1", backlog=100, reuse_port=True):
            until_figure(daemon, 2, "sockets", port="8080")
            leaving.close()
            until_figure(daemon, 1, "sockets", port="8080")
            until_figure(daemon, before, DROPS, port="8080")
            assert in_ss() == 0


def in_ss() -> float:
    """What the sockets that are there now have dropped."""
    return reference.from_ss()[PLACE].drops or 0


def until_dropped(daemon: Daemon, drops: int) -> dict[Endpoint, Figures]:
    """The page when it agrees with `ss` and the listener has dropped at least so many."""
    return until_equal(
        lambda: reference.from_page(daemon),
        reference.from_ss,
        lambda page: PLACE in page and (page[PLACE].drops or 0) >= drops,
    )


def overflow_and_close_clients(daemon: Daemon, listener: socket.socket) -> float:
    """Overflow a listener, close the clients, and return how many drops the page counts."""
    with ExitStack() as stack:
        overflow(listener, stack)
    return until_dropped(daemon, 3)[PLACE].drops or 0
