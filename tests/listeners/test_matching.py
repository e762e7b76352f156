"""The listener that a connection belongs to is the one that the kernel finds."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.records import Endpoint, Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.listeners.matching import Matcher
from tests.listeners.sockets import endpoint, tcp, unix

ETH0 = (2, "eth0")
ETH1 = (3, "eth1")
IPV6_ADDRESSES = ["::", "::1", "2001:db8::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1", "::ffff:10.0.0.1"]
ADDRESSES = st.sampled_from(["0.0.0.0", "127.0.0.1", "10.0.0.1", *IPV6_ADDRESSES])
PORTS = st.integers(80, 81)
LISTENERS = st.builds(
    tcp,
    st.integers(1, 1000),
    ADDRESSES,
    PORTS,
    device=st.sampled_from([(0, ""), ETH0, ETH1]),
    v6only=st.booleans(),
)


def index(*listeners: Listener) -> tuple[Matcher, dict[Endpoint | None, ListenerGroup]]:
    """Return a matcher of these, and the group of each endpoint."""
    groups = {each.endpoint: ListenerGroup(key_of(each, "host", "tcp")) for each in listeners}
    return Matcher([(each, groups[each.endpoint]) for each in listeners]), groups


def found(arrived: Endpoint, *listeners: Listener) -> str | None:
    group = index(*listeners)[0].find(arrived)
    return group.key.address if group else None


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


def score(listener: Listener, arrived: Endpoint) -> tuple[int, int] | None:
    """Return how well a listener fits; None where the connection cannot belong to it.

    As compute_score and inet_lookup_listener in the kernel, applied to each listener there is.
    """
    at = listener.endpoint
    if at is None or (at.family, at.port) != (arrived.family, arrived.port):
        return None
    if at.interface not in (0, arrived.interface):
        return None
    from_ipv4 = at.family == socket.AF_INET6 and arrived.address[:12] == bytes(10) + b"\xff\xff"
    if from_ipv4 and listener.v6only:
        return None
    wildcards = [bytes(len(at.address))]
    if from_ipv4:
        wildcards.append(bytes(10) + b"\xff\xff" + bytes(4))
    if at.address == arrived.address:
        exactness = len(wildcards)
    elif at.address in wildcards:
        exactness = wildcards.index(at.address)
    else:
        return None
    return exactness, int(at.interface != 0)


@given(st.lists(LISTENERS, max_size=12), ADDRESSES, PORTS, st.sampled_from([0, 2, 3, 4]))
def test_the_index_finds_the_listener_with_the_best_score(
    listeners: list[Listener], address: str, port: int, interface: int
) -> None:
    arrived = endpoint(address, port, interface)
    matcher, groups = index(*listeners)
    scores = {each.endpoint: found for each in listeners if (found := score(each, arrived)) is not None}
    best = max(scores, key=lambda at: scores[at], default=None)
    assert matcher.find(arrived) is (groups[best] if best is not None else None)
