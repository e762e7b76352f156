"""Connections that TPROXY gives to a transparent listener are its own, whatever they asked for."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack

import pytest

from exporter.kernel.netns.namespace import own_namespace
from testbed import flood
from testbed.daemon import Daemon, running
from testbed.tproxy import make_transparent, redirect
from testbed.waiting import equals, until
from tests.integration import listening_sockets, reference
from tests.integration.cgroups import enter, new_cgroup
from tests.integration.listening_sockets import TUN_IPV4, TUN_IPV6
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled
from tests.integration.waits import OLDEST, client_of, expect_age

PROXY = 15006
OTHER_PROXY = 15001
ASKED_FOR = 8443
WEB = 8080


def transparent(
    address: str, port: int = PROXY, *, protocol: int = 0, reuse_port: bool = False
) -> socket.socket:
    """A transparent listener, as proxies make it."""
    opened = listening_sockets.tcp(address, port, protocol=protocol, reuse_port=reuse_port)
    make_transparent(opened)
    return opened


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.netns
@pytest.mark.parametrize(
    ("address", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.2"), ("::", "::1"), ("::", "127.0.0.1")],
)
def test_the_wait_of_a_redirected_client_is_found(address: str, asked: str) -> None:
    with transparent(address) as proxy, running(config=EAGER) as daemon:
        until_figure(daemon, 0, OLDEST, port=str(PROXY))
        redirect([ASKED_FOR], to=PROXY)
        oldest, since = client_of(asked, ASKED_FOR)
        expect_age(daemon, since, at_least=0.5, port=str(PROXY))
        younger, since_younger = client_of(asked, ASKED_FOR)
        expect_age(daemon, since, at_least=2.0, port=str(PROXY))
        with proxy.accept()[0], oldest, younger:
            expect_age(daemon, since_younger, port=str(PROXY))
        proxy.accept()[0].close()
        until_figure(daemon, 0, OLDEST, port=str(PROXY))


@pytest.mark.netns
def test_clients_of_its_own_port_count_beside_redirected_ones() -> None:
    with transparent("0.0.0.0") as proxy, running(config=EAGER) as daemon:
        redirect([ASKED_FOR], to=PROXY)
        oldest, since = client_of("127.0.0.1", PROXY)
        younger, since_younger = client_of("127.0.0.1", ASKED_FOR)
        expect_age(daemon, since, at_least=0.5, port=str(PROXY))
        with proxy.accept()[0], oldest, younger:
            expect_age(daemon, since_younger, at_least=0.5, port=str(PROXY))


@pytest.mark.netns
def test_a_listener_at_the_port_that_was_asked_for_keeps_its_own_clients_and_gets_no_others() -> None:
    """As a service behind a proxy that was put in front of it later."""
    with (
        flood.Tun() as tun,
        transparent("0.0.0.0") as proxy,
        listening_sockets.tcp("0.0.0.0", WEB),
        running(config=EAGER) as daemon,
    ):
        of_web, since_web = client_of(TUN_IPV4, WEB)
        flood.syn_flood(tun, TUN_IPV4, WEB, 2)
        redirect([WEB], to=PROXY)
        of_proxy, since_proxy = client_of(TUN_IPV4, WEB)
        flood.syn_flood(tun, TUN_IPV4, WEB, 5, first=2)
        with of_web, of_proxy:
            expect_age(daemon, since_web, at_least=0.5, port=str(WEB))
            expect_age(daemon, since_proxy, at_least=0.5, port=str(PROXY))
            expect_syn_recv(daemon, {PROXY: 5, WEB: 2})
            proxy.accept()[0].close()
            until_figure(daemon, 0, OLDEST, port=str(PROXY))
            expect_age(daemon, since_web, at_least=1.0, port=str(WEB))


def expect_syn_recv(daemon: Daemon, counts: dict[int, int], unmatched: int = 0) -> None:
    """Half-open connections by the port of their listener, and they stay so."""

    def found() -> tuple[dict[int, float | None], float | None]:
        by_port = {port: figure(daemon, "syn_recv", port=str(port)) for port in counts}
        return by_port, figure(daemon, "syn_recv_unmatched")

    until(reference.syn_recv, equals(sum(counts.values()) + unmatched))
    until(found, equals((counts, unmatched)))
    until_sampled(daemon, "syn_recv", 2)
    assert found() == (counts, unmatched)


@pytest.mark.netns
@pytest.mark.parametrize("protocol", [0, socket.IPPROTO_MPTCP])
def test_half_open_connections_that_were_redirected_are_those_of_the_proxy(protocol: int) -> None:
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        try:
            proxy = stack.enter_context(transparent("::", protocol=protocol))
        except OSError as refused:
            pytest.skip(f"no such protocol: {refused}")
        daemon = stack.enter_context(running(config=EAGER))
        redirect([ASKED_FOR, WEB], to=PROXY)
        until_sampled(daemon, "syn_recv", 2)
        stack.enter_context(client_of("::1", ASKED_FOR)[0])
        flood.syn_flood(tun, TUN_IPV4, ASKED_FOR, 3)
        flood.syn_flood(tun, TUN_IPV6, ASKED_FOR, 4)
        flood.syn_flood(tun, TUN_IPV6, WEB, 2)
        expect_syn_recv(daemon, {PROXY: 9})
        proxy.accept()[0].close()
        expect_syn_recv(daemon, {PROXY: 9})


@pytest.mark.netns
def test_half_open_connections_of_a_closed_listener_stay_unmatched_beside_a_proxy() -> None:
    with flood.Tun() as tun, transparent("0.0.0.0"), running(config=EAGER) as daemon:
        closed = listening_sockets.tcp("0.0.0.0", WEB)
        flood.syn_flood(tun, TUN_IPV4, WEB, 4)
        redirect([ASKED_FOR], to=PROXY)
        flood.syn_flood(tun, TUN_IPV4, ASKED_FOR, 3)
        expect_syn_recv(daemon, {PROXY: 3, WEB: 4})
        tun.wait_for_pause(7)
        closed.close()
        until_figure(daemon, 4, "syn_recv_unmatched")
        assert figure(daemon, "syn_recv", port=str(PROXY)) == 3


@pytest.mark.netns
def test_each_of_two_proxies_has_its_half_open_connections() -> None:
    with (
        flood.Tun() as tun,
        transparent("0.0.0.0"),
        transparent("0.0.0.0", OTHER_PROXY),
        running(config=EAGER) as daemon,
    ):
        redirect([ASKED_FOR], to=PROXY)
        flood.syn_flood(tun, TUN_IPV4, ASKED_FOR, 5)
        expect_syn_recv(daemon, {PROXY: 5, OTHER_PROXY: 0})


@pytest.mark.netns
def test_of_two_proxies_that_both_have_clients_no_wait_is_known() -> None:
    """Until one of them is empty again."""
    with (
        transparent("0.0.0.0") as proxy,
        transparent("0.0.0.0", OTHER_PROXY) as other,
        ExitStack() as stack,
    ):
        redirect([ASKED_FOR], to=PROXY)
        client, since = client_of("127.0.0.1", ASKED_FOR)
        stack.enter_context(client)
        stack.enter_context(client_of("127.0.0.1", OTHER_PROXY)[0])
        # At its own port no dump shows it any more, so that it might wait at either.
        reset(stack.enter_context(client_of("127.0.0.1", OTHER_PROXY)[0]))
        daemon = stack.enter_context(running(config=EAGER))
        until_figure(daemon, 2, "accept_length", port=str(OTHER_PROXY))
        until_figure(daemon, 1, "accept_length", port=str(PROXY))
        until_sampled(daemon, "oldest_wait", 2)
        assert figure(daemon, OLDEST, port=str(PROXY)) is None
        listening_sockets.accept(other, 2)
        expect_age(daemon, since, at_least=1.0, port=str(PROXY))
        proxy.accept()[0].close()
        until_figure(daemon, 0, OLDEST, port=str(PROXY))


@pytest.mark.netns
def test_the_queue_that_filled_first_is_the_one_whose_wait_is_known() -> None:
    with (
        transparent("0.0.0.0"),
        transparent("0.0.0.0", OTHER_PROXY),
        running(config=EAGER) as daemon,
        ExitStack() as stack,
    ):
        redirect([ASKED_FOR], to=PROXY)
        until_figure(daemon, 0, OLDEST, port=str(OTHER_PROXY))
        client, since = client_of("127.0.0.1", ASKED_FOR)
        stack.enter_context(client)
        expect_age(daemon, since, at_least=0.5, port=str(PROXY))
        reset(stack.enter_context(client_of("127.0.0.1", OTHER_PROXY)[0]))
        until_figure(daemon, 1, "accept_length", port=str(OTHER_PROXY))
        until_figure(daemon, None, OLDEST, port=str(OTHER_PROXY))
        expect_age(daemon, since, at_least=2.0, port=str(PROXY))


@pytest.mark.netns
def test_a_redirected_client_that_reset_its_connection_has_no_age() -> None:
    with transparent("0.0.0.0"), running(config=EAGER) as daemon:
        redirect([ASKED_FOR], to=PROXY)
        client, since = client_of("127.0.0.1", ASKED_FOR)
        expect_age(daemon, since, at_least=0.5, port=str(PROXY))
        reset(client)
        until_figure(daemon, None, OLDEST, port=str(PROXY))
        assert figure(daemon, "accept_length", port=str(PROXY)) == 1


@pytest.mark.netns
def test_a_proxy_of_several_sockets_has_the_oldest_of_all() -> None:
    with (
        transparent("0.0.0.0", reuse_port=True),
        transparent("0.0.0.0", reuse_port=True),
        running(config=EAGER) as daemon,
        ExitStack() as stack,
    ):
        redirect([ASKED_FOR], to=PROXY)
        client, since = client_of("127.0.0.1", ASKED_FOR)
        stack.enter_context(client)
        for _ in range(9):
            stack.enter_context(client_of("127.0.0.1", ASKED_FOR)[0])
        until_figure(daemon, 10, "accept_length", port=str(PROXY))
        expect_age(daemon, since, at_least=1.0, port=str(PROXY))


@pytest.mark.netns
def test_the_wait_at_a_proxy_that_was_started_in_a_cgroup_is_found() -> None:
    """Connections have the cgroup of the listener's socket, and the dump is for that one alone."""
    with new_cgroup() as top, running(config=EAGER) as daemon:
        enter(top / "proxy")
        proxy = transparent("0.0.0.0")
        enter(top.parent)
        with proxy, transparent("0.0.0.0", OTHER_PROXY), ExitStack() as stack:
            redirect([ASKED_FOR], to=PROXY)
            stack.enter_context(client_of("127.0.0.1", OTHER_PROXY)[0])
            reset(stack.enter_context(client_of("127.0.0.1", OTHER_PROXY)[0]))
            client, since = client_of("127.0.0.1", ASKED_FOR)
            stack.enter_context(client)
            # The other proxy has clients too, and is in another cgroup.
            expect_age(daemon, since, at_least=1.0, port=str(PROXY))
            own = {each.cgroup_id for each in own_namespace().waiting_at({ASKED_FOR}).found}
            assert own == {(top / "proxy").stat().st_ino}
