"""The listener that a connection belongs to is the one that the kernel finds."""

from __future__ import annotations

import socket
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.records import Endpoint, Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.listeners.matching import Matcher
from tests.listeners.sockets import endpoint, reading, tcp, unix, waiting

ETH0 = (2, "eth0")
ETH1 = (3, "eth1")
MAPPED = bytes(10) + b"\xff\xff"
# Those of clients; nothing arrives at a wildcard.
ADDRESSES = ["127.0.0.1", "10.0.0.1", "::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"]
ARRIVED = st.sampled_from(ADDRESSES)
PORTS = st.integers(80, 81)


def kinds(addresses: list[str], *, v6only: st.SearchStrategy[bool]) -> st.SearchStrategy[Listener]:
    """Listeners on these addresses."""
    devices = st.sampled_from([(0, ""), ETH0, ETH1])
    return st.builds(
        tcp, st.integers(1, 1000), st.sampled_from(addresses), PORTS, device=devices, v6only=v6only
    )


# bind() to an IPv4-mapped address fails on a socket for IPv6 alone.
LISTENERS = kinds([*ADDRESSES, "0.0.0.0", "::ffff:0.0.0.0"], v6only=st.just(False)) | kinds(  # noqa: FBT003
    ["::", "::1"], v6only=st.booleans()
)


def index(*listeners: Listener) -> tuple[Matcher, dict[Endpoint | None, ListenerGroup]]:
    """Return a matcher of these, and the group of each endpoint."""
    groups = {each.endpoint: ListenerGroup(key_of(each, "host", "tcp")) for each in listeners}
    return Matcher([(each, groups[each.endpoint]) for each in listeners]), groups


def found(arrived: Endpoint, *listeners: Listener) -> str | None:
    """Return what the listener is bound to that a connection belongs to."""
    matcher, groups = index(*listeners)
    group = matcher.find(arrived)
    return next((bound(each) for each in listeners if groups[each.endpoint] is group), None)


def bound(listener: Listener) -> str | None:
    """Return the address that bind() got, which for a mapped one is not the one that is shown."""
    at = listener.endpoint
    return at and socket.inet_ntop(at.family, at.address) + "".join(listener.address.partition("%")[1:])


def test_the_exact_address_comes_before_the_wildcard() -> None:
    both = tcp(1, "0.0.0.0"), tcp(2, "127.0.0.1")
    assert found(endpoint("127.0.0.1"), *both) == "127.0.0.1"
    assert found(endpoint("10.0.0.1"), *both) == "0.0.0.0"


def test_a_bound_device_comes_before_none() -> None:
    both = tcp(1, "0.0.0.0"), tcp(2, "0.0.0.0", device=ETH0)
    assert found(endpoint("10.0.0.1", interface=2), *both) == "0.0.0.0%eth0"
    assert found(endpoint("10.0.0.1", interface=3), *both) == "0.0.0.0"
    assert found(endpoint("10.0.0.1"), *both) == "0.0.0.0"


def test_the_address_comes_before_the_device() -> None:
    """The kernel looks the address up first, and compares devices among those that fit."""
    both = tcp(1, "10.0.0.1"), tcp(2, "0.0.0.0", device=ETH0)
    assert found(endpoint("10.0.0.1", interface=2), *both) == "10.0.0.1"


def test_a_listener_on_another_device_does_not_fit() -> None:
    assert found(endpoint("10.0.0.1", interface=3), tcp(1, "0.0.0.0", device=ETH0)) is None


@pytest.mark.parametrize("arrived", [endpoint("10.0.0.1", 81), endpoint("::1"), endpoint("::ffff:10.0.0.1")])
def test_another_port_or_family_does_not_fit(arrived: Endpoint) -> None:
    assert found(arrived, tcp(1, "0.0.0.0", 80), unix(2)) is None


def test_an_ipv4_client_belongs_to_a_dual_stack_listener() -> None:
    assert found(endpoint("::ffff:10.0.0.1"), tcp(1, "::")) == "::"


def test_an_ipv4_client_does_not_belong_to_a_v6only_listener() -> None:
    assert found(endpoint("::ffff:10.0.0.1"), tcp(1, "::", v6only=True)) is None
    assert found(endpoint("::1"), tcp(1, "::", v6only=True)) == "::"


def test_a_mapped_address_comes_before_the_wildcard() -> None:
    both = tcp(1, "::"), tcp(2, "::ffff:10.0.0.1")
    assert found(endpoint("::ffff:10.0.0.1"), *both) == "::ffff:10.0.0.1"
    assert found(endpoint("::ffff:10.0.0.2"), *both) == "::"


def test_every_ipv4_client_belongs_to_a_listener_on_the_mapped_wildcard() -> None:
    """bind() to ::ffff:0.0.0.0 keeps that address, and the row of a client shows the client's own."""
    both = tcp(1, "::ffff:0.0.0.0"), tcp(2, "::1")
    assert found(endpoint("::ffff:10.0.0.1"), *both) == "::ffff:0.0.0.0"
    assert found(endpoint("2001:db8::1"), *both) is None


@pytest.mark.parametrize("order", list(permutations(["::", "::ffff:0.0.0.0"])))
def test_of_two_wildcards_for_ipv4_clients_the_first_has_them(order: tuple[str, ...]) -> None:
    """As in the kernel's list, whose order a dump has. Those of IPv6 belong to the one that admits them."""
    both = [tcp(number, address) for number, address in enumerate(order)]
    assert found(endpoint("::ffff:10.0.0.1"), *both) == order[0]
    assert found(endpoint("2001:db8::1"), *both) == "::"


def test_a_bound_device_comes_before_the_first_wildcard() -> None:
    both = tcp(1, "::"), tcp(2, "::ffff:0.0.0.0", device=ETH0)
    assert found(endpoint("::ffff:10.0.0.1", interface=2), *both) == "::ffff:0.0.0.0%eth0"
    assert found(endpoint("::ffff:10.0.0.1", interface=3), *both) == "::"


def test_where_v6only_is_not_known_the_mapped_wildcard_has_the_ipv4_clients() -> None:
    """Without SO_REUSEPORT the two share a port only where the other one is for IPv6 alone."""
    both = tcp(1, "::", v6only=None), tcp(2, "::ffff:0.0.0.0", v6only=None)
    assert found(endpoint("::ffff:10.0.0.1"), *both) == "::ffff:0.0.0.0"
    assert found(endpoint("::ffff:10.0.0.1"), both[0]) == "::"


def test_rows_of_a_mapped_listener_and_of_one_of_ipv4_are_told_apart() -> None:
    """The kernel makes IPv6 rows for the one and IPv4 rows for the other, though both have IPv4 clients."""
    both = tcp(1, "::ffff:10.0.0.1"), tcp(2, "10.0.0.1")
    assert found(endpoint("::ffff:10.0.0.1"), *both) == "::ffff:10.0.0.1"
    assert found(endpoint("10.0.0.1"), *both) == "10.0.0.1"
    assert found(endpoint("::ffff:10.0.0.1"), both[1]) is None


def score(listener: Listener, arrived: Endpoint) -> tuple[int, int] | None:
    """Return how well a listener fits; None where the connection cannot belong to it.

    As compute_score and inet_lookup_listener in the kernel, applied to each listener there is.
    """
    at = listener.endpoint
    if at is None or (at.family, at.port) != (arrived.family, arrived.port):
        return None
    if at.interface not in (0, arrived.interface):
        return None
    if at.address == arrived.address:
        return 1, int(at.interface != 0)
    from_ipv4 = at.family == socket.AF_INET6 and arrived.address[:12] == MAPPED
    wildcards = [bytes(len(at.address))]
    if from_ipv4:
        wildcards = [MAPPED + bytes(4), *([] if listener.v6only else wildcards)]
    return (0, int(at.interface != 0)) if at.address in wildcards else None


@given(st.lists(LISTENERS, max_size=12), ARRIVED, PORTS, st.sampled_from([0, 2, 3, 4]))
def test_the_index_finds_the_first_listener_with_the_best_score(
    listeners: list[Listener], address: str, port: int, interface: int
) -> None:
    arrived = endpoint(address, port, interface)
    matcher, groups = index(*listeners)
    scores = {each.endpoint: found for each in listeners if (found := score(each, arrived)) is not None}
    best = max(scores, key=lambda at: scores[at], default=None)
    assert matcher.find(arrived) is (groups[best] if best is not None else None)


def redirected(arrived: Endpoint, *listeners: Listener, cgroup_id: int = 0) -> set[str]:
    return {group.key.port for group in index(*listeners)[0].redirected(arrived, cgroup_id)}


def test_only_transparent_listeners_may_have_what_was_redirected() -> None:
    both = tcp(1, port=15001), tcp(2, port=15006, transparent=True)
    assert redirected(endpoint("10.0.0.1", 443), *both) == {"15006"}
    assert {group.key.port for group in index(*both)[0].transparent} == {"15006"}


def test_a_listener_on_one_address_has_what_was_redirected_from_any() -> None:
    assert redirected(endpoint("10.0.0.1", 443), tcp(1, "127.0.0.1", 15006, transparent=True)) == {"15006"}


@pytest.mark.parametrize(
    ("arrived", "ports"),
    [
        (endpoint("10.0.0.1"), {"1"}),
        (endpoint("fd00::1"), {"2", "3"}),
        (endpoint("::ffff:10.0.0.1"), {"2", "4"}),
    ],
)
def test_what_was_redirected_has_the_family_of_its_listener(arrived: Endpoint, ports: set[str]) -> None:
    """An IPv4 client of a dual-stack listener has an IPv6 row."""
    ipv4, dual = tcp(1, "0.0.0.0", 1, transparent=True), tcp(2, "::", 2, transparent=True)
    ipv6 = tcp(3, "::", 3, v6only=True, transparent=True)
    mapped = tcp(4, "::ffff:0.0.0.0", 4, transparent=True)
    assert redirected(arrived, ipv4, dual, ipv6, mapped) == ports


def test_a_listener_bound_to_a_device_has_what_carries_it() -> None:
    bound = tcp(1, port=1, device=ETH0, transparent=True), tcp(2, port=2, device=ETH1, transparent=True)
    assert redirected(endpoint("10.0.0.1", interface=2), *bound) == {"1"}
    assert redirected(endpoint("10.0.0.1"), *bound) == set()
    assert redirected(endpoint("10.0.0.1", interface=2), tcp(3, port=3, transparent=True)) == {"3"}


@pytest.mark.parametrize(
    ("cgroup_id", "ports"), [(7, {"1", "3"}), (8, {"2", "3"}), (9, {"3"}), (0, {"1", "2", "3"})]
)
def test_a_connection_has_the_cgroup_of_its_listener(cgroup_id: int, ports: set[str]) -> None:
    """0 is one that is not known."""
    three = [tcp(1 + at, port=1 + at, cgroup_id=(7, 8, 0)[at], transparent=True) for at in range(3)]
    assert redirected(endpoint("10.0.0.1"), *three, cgroup_id=cgroup_id) == ports


def found_waiting(*listeners: Listener, transparent: bool) -> str | None:
    connection = waiting(1, endpoint("10.0.0.1", 80), 1.0, transparent=transparent)
    group = index(*listeners)[0].find_waiting(connection)
    return group.key.port if group else None


@pytest.mark.parametrize("transparent", [True, False])
def test_a_connection_belongs_to_a_listener_at_its_port_only_if_both_are_transparent(
    *, transparent: bool
) -> None:
    assert found_waiting(tcp(1, port=80, transparent=transparent), transparent=transparent) == "80"
    assert found_waiting(tcp(1, port=81, transparent=transparent), transparent=transparent) is None
    assert found_waiting(tcp(1, port=80), transparent=transparent) == (None if transparent else "80")


def test_programs_that_share_an_endpoint_are_told() -> None:
    blue, green, other = (
        ListenerGroup(key_of(tcp(1), "host", "tcp"), name) for name in ("blue", "green", "")
    )
    matcher = Matcher([(tcp(1), blue), (tcp(2), green), (tcp(3), green), (tcp(4, port=81), other)])
    assert matcher.any_sharing
    assert matcher.sharing(blue) == matcher.sharing(green) == {blue, green}
    assert matcher.sharing(other) == set()


def test_a_waiting_connection_is_that_of_the_only_program_with_a_queue() -> None:
    blue, green = (ListenerGroup(key_of(tcp(1), "host", "tcp"), name) for name in ("blue", "green"))
    blue.open(tcp(1), reading(1, length=0))
    green.open(tcp(2), reading(2, length=4))
    matcher = Matcher([(tcp(1), blue), (tcp(2), green)])
    connection = waiting(9, endpoint("10.0.0.1"), 5.0)
    assert matcher.find_waiting(connection) is green
    blue.update(reading(1, length=1))
    assert matcher.find_waiting(connection) is None, "it is not told which of them has it"


def test_groups_are_known_by_the_address_family_of_their_sockets() -> None:
    ipv4, ipv6 = tcp(1), tcp(2, "::")
    groups = {listener.cookie: ListenerGroup(key_of(listener, "host", "tcp")) for listener in (ipv4, ipv6)}
    matcher = Matcher((listener, groups[listener.cookie]) for listener in (ipv4, ipv6))
    assert matcher.groups_of(socket.AF_INET) == {groups[1]}
    assert matcher.groups_of(socket.AF_INET6) == {groups[2]}
    assert matcher.groups_of(socket.AF_UNIX) == set()
