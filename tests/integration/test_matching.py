"""Half-open and waiting connections go to the listener that the kernel gave them to, or to none."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from testbed import flood, programs
from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.integration import listening_sockets, reference
from tests.integration.listening_sockets import TUN_IPV4, TUN_IPV6
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled

LINK_LOCAL = ipaddress.IPv6Interface(f"{listening_sockets.LINK_LOCAL}/64")
OLDEST = "accept_oldest_wait_seconds"


def expect(daemon: Daemon, counts: dict[str, int], unmatched: int = 0) -> None:
    """Half-open connections by the address of their listener."""

    def found() -> dict[str, float | None]:
        return {address: figure(daemon, "syn_recv", address=address, port="8080") for address in counts}

    until(reference.syn_recv, equals(sum(counts.values()) + unmatched))
    until(found, equals(counts))
    # Not one of them may be counted elsewhere in a later sample.
    until_sampled(daemon, "syn_recv", 2)
    assert found() == counts
    until_figure(daemon, unmatched, "syn_recv_unmatched")


@pytest.mark.netns
def test_ipv4_clients_of_a_dual_stack_listener_are_its_own() -> None:
    """Half-open and waiting ones, beside those that came over IPv6."""
    with flood.Tun() as tun, listening_sockets.tcp("::") as both, running(config=EAGER) as daemon:
        waiting = listening_sockets.clients(both, 3, TUN_IPV4)
        flood.syn_flood(tun, TUN_IPV4, 8080, 4)
        flood.syn_flood(tun, TUN_IPV6, 8080, 5)
        expect(daemon, {"::": 9})
        until_figure(daemon, 3, "accept_length", address="::", port="8080")
        until(lambda: figure(daemon, OLDEST, address="::", port="8080") or 0, lambda oldest: oldest > 0)
        assert all(client.family == socket.AF_INET for client in waiting)


@pytest.mark.netns
def test_an_ipv6_only_listener_and_an_ipv4_one_share_a_port_and_no_client() -> None:
    with (
        flood.Tun() as tun,
        listening_sockets.tcp("::", v6only=True),
        listening_sockets.tcp("0.0.0.0"),
        running(config=EAGER) as daemon,
    ):
        flood.syn_flood(tun, TUN_IPV4, 8080, 4)
        flood.syn_flood(tun, TUN_IPV6, 8080, 5)
        expect(daemon, {"0.0.0.0": 4, "::": 5})


@pytest.mark.netns
@pytest.mark.parametrize("exact_first", [True, False])
def test_an_exact_address_comes_before_the_wildcard(*, exact_first: bool) -> None:
    exact, wildcard = TUN_IPV4, "0.0.0.0"
    with flood.Tun() as tun:
        programs.output("ip", "address", "add", "10.98.0.1/32", "dev", tun.name)
        order = (exact, wildcard) if exact_first else (wildcard, exact)
        # Without SO_REUSEPORT two that overlap cannot listen at once.
        first, second = (listening_sockets.tcp(address, reuse_port=True) for address in order)
        with first, second, running(config=EAGER) as daemon:
            flood.syn_flood(tun, exact, 8080, 4)
            flood.syn_flood(tun, "10.98.0.1", 8080, 5)
            until(lambda: reference.syn_recv_of(first if exact_first else second), equals(4))
            expect(daemon, {exact: 4, wildcard: 5})


@pytest.mark.netns
@pytest.mark.parametrize("bound_last", [True, False])
def test_beside_a_listener_bound_to_the_device_clients_go_where_the_kernel_sent_them(
    *, bound_last: bool
) -> None:
    """Two such listeners need SO_REUSEPORT, with which the kernel takes the one that came last."""
    with flood.Tun() as tun:
        devices = ("", tun.name) if bound_last else (tun.name, "")
        first, second = (
            listening_sockets.tcp("0.0.0.0", device=device, reuse_port=True) for device in devices
        )
        with first, second, running(config=EAGER) as daemon:
            flood.syn_flood(tun, TUN_IPV4, 8080, 4)
            places = [f"0.0.0.0%{device}" if device else "0.0.0.0" for device in devices]
            counts = until(
                lambda: [reference.syn_recv_of(listener) for listener in (first, second)],
                lambda found: sum(found) == 4,
            )
            expect(daemon, dict(zip(places, counts, strict=True)))


@pytest.mark.netns
def test_a_listener_bound_to_another_device_gets_nothing() -> None:
    with (
        flood.Tun() as tun,
        listening_sockets.tcp("0.0.0.0", device="lo", reuse_port=True),
        listening_sockets.tcp("0.0.0.0", reuse_port=True),
        running(config=EAGER) as daemon,
    ):
        flood.syn_flood(tun, TUN_IPV4, 8080, 4)
        expect(daemon, {"0.0.0.0%lo": 0, "0.0.0.0": 4})


@pytest.mark.netns
def test_link_local_clients_reach_the_wildcard_and_carry_their_device() -> None:
    with flood.Tun() as tun:
        tun.add_ipv6(LINK_LOCAL)
        with listening_sockets.tcp("::"), running(config=EAGER) as daemon:
            _link_local_syns(tun, 6)
            expect(daemon, {"::": 6})


@pytest.mark.netns
def test_a_link_local_listener_has_its_clients() -> None:
    with flood.Tun() as tun:
        tun.add_ipv6(LINK_LOCAL)
        with (
            listening_sockets.tcp(f"{listening_sockets.LINK_LOCAL}%{tun.name}"),
            running(config=EAGER) as daemon,
        ):
            _link_local_syns(tun, 6)
            expect(daemon, {f"{listening_sockets.LINK_LOCAL}%{tun.name}": 6})


@pytest.mark.netns
def test_syn_recv_connections_of_a_closed_listener_are_unmatched() -> None:
    with flood.Tun() as tun, listening_sockets.tcp("0.0.0.0", 8081), running(config=EAGER) as daemon:
        listener = listening_sockets.tcp("0.0.0.0")
        flood.syn_flood(tun, TUN_IPV4, 8080, 7)
        until_figure(daemon, 7, "syn_recv", port="8080")
        tun.wait_for_pause(7)
        listener.close()
        until_figure(daemon, 7, "syn_recv_unmatched")
        until_figure(daemon, None, "syn_recv", port="8080")
        until_figure(daemon, 0, "syn_recv", port="8081")


def _link_local_syns(tun: flood.Tun, count: int) -> None:
    destination = ipaddress.IPv6Address(listening_sockets.LINK_LOCAL)
    for client in range(count):
        tun.send(flood.syn(ipaddress.IPv6Address("fe80::99"), 2000 + client, destination, 8080))
