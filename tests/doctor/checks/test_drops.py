"""Packets that are dropped during a watch, and the cause that is named for them."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import ExitStack

import pytest

from exporter.doctor.checks import drops
from exporter.doctor.finding import Certainty, FindingSeverity
from testbed.flood import Tun, syn, syn_flood
from testbed.namespace import write_sysctl
from testbed.waiting import until
from tests.doctor.watching import findings
from tests.integration import listening_sockets
from tests.integration.listening_sockets import TUN_IPV4

_PORT = 8080
_TCP_DEFER_ACCEPT = 9
_ALL = {
    drops.OVERFLOW,
    drops.SYN_QUEUE,
    drops.UNANSWERED,
    drops.COOKIES_SENT,
    drops.DEFER_ACCEPT,
    drops.OTHER,
}
# No sample falls into a burst between the first one and the last.
_SELDOM = 4.0


@pytest.mark.netns
def test_an_overflow_that_no_sample_saw_is_found_by_the_counters() -> None:
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=1) as listener, ExitStack() as stack:

        def burst() -> None:
            for client in listening_sockets.clients(listener, 2):
                stack.enter_context(client)
            listening_sockets.refused_client(listener).close()
            for accepted in listening_sockets.accept(listener, 2):
                stack.enter_context(accepted)

        found = findings(burst, interval=_SELDOM)
    assert found[drops.OVERFLOW].certainty is Certainty.CERTAIN
    assert found[drops.OVERFLOW].evidence[0] == (
        "ListenOverflows rose by 1 in this watch, and no sample saw a queue full"
    )
    assert found[drops.OVERFLOW].listener is not None


@pytest.mark.netns
def test_accepted_clients_drop_nothing() -> None:
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=8) as listener, ExitStack() as stack:

        def clients() -> None:
            for client in listening_sockets.clients(listener, 4):
                stack.enter_context(client)
            for accepted in listening_sockets.accept(listener, 4):
                stack.enter_context(accepted)

        assert not findings(clients).keys() & _ALL


@pytest.mark.netns
@pytest.mark.parametrize(("cookies", "expected"), [(0, drops.SYN_QUEUE), (1, drops.COOKIES_SENT)])
def test_a_flood_of_syns_is_told_by_the_setting_of_cookies(cookies: int, expected: str) -> None:
    write_sysctl("net.ipv4.tcp_syncookies", cookies)
    with Tun() as tun, listening_sockets.tcp(TUN_IPV4, _PORT, backlog=4):
        found = findings(lambda: syn_flood(tun, TUN_IPV4, _PORT, 50))
    assert found.keys() & _ALL == {expected}
    assert found[expected].severity is (FindingSeverity.WARNING if cookies else FindingSeverity.CRITICAL)


@pytest.mark.netns
@pytest.mark.parametrize("cookies", [0, 1, 2])
def test_syns_of_clients_without_a_route_are_no_full_queue(cookies: int) -> None:
    write_sysctl("net.ipv4.tcp_syncookies", cookies)
    packet = syn(ipaddress.ip_address("203.0.113.9"), 4000, ipaddress.ip_address(TUN_IPV4), _PORT)
    with Tun() as tun, listening_sockets.tcp(TUN_IPV4, _PORT, backlog=8):
        write_sysctl(f"net.ipv4.conf.{tun.name}.rp_filter", 0)

        def send() -> None:
            received = tun.tcp_counter("InSegs")
            tun.send(packet)
            until(lambda: tun.tcp_counter("InSegs"), lambda now: now > received)

        found = findings(send)
    assert found.keys() & _ALL == {drops.UNANSWERED}
    assert found[drops.UNANSWERED].severity is FindingSeverity.WARNING
    assert found[drops.UNANSWERED].listener is not None
    assert found[drops.UNANSWERED].evidence[0] == (
        "ListenDrops rose by 1; ListenOverflows and TCPReqQFullDrop did not"
    )
    why = found[drops.UNANSWERED].evidence[1]
    assert why.startswith("SYN cookies are on" if cookies else "no SYN queue came near its limit")


@pytest.mark.netns
def test_a_syn_queue_that_max_syn_backlog_limits_drops_syns() -> None:
    """The kernel counts them in ListenDrops alone, as those of clients without a route."""
    write_sysctl("net.ipv4.tcp_syncookies", 0)
    write_sysctl("net.ipv4.tcp_max_syn_backlog", 16)
    with Tun() as tun, listening_sockets.tcp(TUN_IPV4, _PORT, backlog=64):
        found = findings(lambda: syn_flood(tun, TUN_IPV4, _PORT, 50))
    assert found.keys() & _ALL == {drops.SYN_QUEUE}
    assert found[drops.SYN_QUEUE].certainty is Certainty.LIKELY
    assert found[drops.SYN_QUEUE].evidence[1] == "TCPReqQFullDrop rose by 0"
    assert (
        found[drops.SYN_QUEUE]
        .evidence[2]
        .endswith(" had 13 connections half-open at most, of 13 that it admits")
    )


@pytest.mark.netns
def test_drops_beside_a_full_queue_are_not_called_harmless() -> None:
    packet = syn(ipaddress.ip_address("10.99.0.7"), 4000, ipaddress.ip_address(TUN_IPV4), _PORT)
    with (
        Tun() as tun,
        listening_sockets.tcp(TUN_IPV4, _PORT, backlog=8),
        listening_sockets.tcp("127.0.0.1", _PORT + 1, backlog=1) as full,
        ExitStack() as stack,
    ):

        def both() -> None:
            received = tun.tcp_counter("InSegs")
            tun.send(packet)
            tun.send(packet)
            until(lambda: tun.tcp_counter("InSegs"), lambda now: now >= received + 2)
            for client in listening_sockets.clients(full, 2):
                stack.enter_context(client)
            listening_sockets.refused_client(full).close()

        found = findings(both)
    assert found.keys() & _ALL == {drops.OTHER}
    counts, overflows = found[drops.OTHER].evidence
    assert counts.endswith(f":{_PORT} dropped 1 packet")
    assert overflows.startswith("ListenOverflows rose by ")
    assert f":{_PORT + 1}" in overflows


@pytest.mark.netns
def test_half_open_connections_that_fit_are_no_finding() -> None:
    with Tun() as tun, listening_sockets.tcp(TUN_IPV4, _PORT, backlog=64):
        assert not findings(lambda: syn_flood(tun, TUN_IPV4, _PORT, 10)).keys() & _ALL


@pytest.mark.netns
def test_handshakes_of_defer_accept_are_no_loss() -> None:
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=8) as listener, ExitStack() as stack:
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_DEFER_ACCEPT, 30)

        def handshake() -> None:
            (client,) = listening_sockets.clients(listener, 1)
            stack.enter_context(client).sendall(b"GET / HTTP/1.0\r\n\r\n")
            (accepted,) = listening_sockets.accept(listener, 1)
            stack.enter_context(accepted)

        found = findings(handshake)
    assert found.keys() & _ALL == {drops.DEFER_ACCEPT}
    assert found[drops.DEFER_ACCEPT].severity is FindingSeverity.NOTE


@pytest.mark.netns
def test_what_was_dropped_before_the_watch_is_not_counted_in_it() -> None:
    """Steady clients connect while owners are searched for: their drops and counters begin together."""
    with listening_sockets.tcp("127.0.0.1", _PORT, backlog=8) as listener, ExitStack() as stack:
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_DEFER_ACCEPT, 30)

        def handshakes(number: int) -> None:
            for client in listening_sockets.clients(listener, number):
                stack.enter_context(client).sendall(b"x")
                stack.enter_context(listening_sockets.accept(listener, 1)[0])

        assert not findings(before=lambda: handshakes(5)).keys() & _ALL
        found = findings(lambda: handshakes(2), before=lambda: handshakes(5))
    assert found.keys() & _ALL == {drops.DEFER_ACCEPT}
    counts, _, handshaken = found[drops.DEFER_ACCEPT].evidence
    assert counts.endswith(f":{_PORT} dropped 2 packets")
    assert handshaken == "TCPDeferAcceptDrop rose by 2"


@pytest.mark.netns
def test_a_repeated_syn_may_be_a_scan_and_is_no_loss() -> None:
    packet = syn(ipaddress.ip_address("10.99.0.7"), 4000, ipaddress.ip_address(TUN_IPV4), _PORT)
    with Tun() as tun, listening_sockets.tcp(TUN_IPV4, _PORT, backlog=8):

        def twice() -> None:
            received = tun.tcp_counter("InSegs")
            tun.send(packet)
            tun.send(packet)
            until(lambda: tun.tcp_counter("InSegs"), lambda now: now >= received + 2)

        found = findings(twice)
    assert found.keys() & _ALL == {drops.OTHER}
    assert (found[drops.OTHER].severity, found[drops.OTHER].certainty) == (
        FindingSeverity.NOTE,
        Certainty.POSSIBLE,
    )


@pytest.mark.netns
def test_a_scan_of_closed_ports_is_no_finding() -> None:
    with Tun() as tun, listening_sockets.tcp(TUN_IPV4, _PORT, backlog=8):
        assert not findings(lambda: syn_flood(tun, TUN_IPV4, _PORT + 1, 20)).keys() & _ALL
