"""Clients by address and by network."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.api.client_counts import ClientCounts


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def counted(*waits: tuple[str, float], syn_recv: dict[str, int] | None = None) -> ClientCounts:
    counts = ClientCounts()
    for address, seconds in waits:
        counts.add_waiting(packed(address), seconds)
    for address, count in (syn_recv or {}).items():
        counts.add_syn_recv(packed(address), count)
    return counts


def figures(entries: list[dict[str, Any]], name: str) -> list[tuple[object, ...]]:
    return [(each[name], each["waiting"], each["syn_recv"], each["oldest_wait_seconds"]) for each in entries]


def test_the_address_with_most_connections_is_first_with_its_oldest_wait() -> None:
    counts = counted(
        ("192.0.2.1", 1.0),
        ("192.0.2.2", 3.0),
        ("192.0.2.2", 2.0),
        syn_recv={"2001:db8::1": 5, "192.0.2.2": 1},
    )
    document = counts.document(10, 3)
    assert figures(document["addresses"], "address") == [
        ("2001:db8::1", 0, 5, None),
        ("192.0.2.2", 2, 1, 3.0),
        ("192.0.2.1", 1, 0, 1.0),
    ]
    assert figures(document["networks"], "network") == [
        ("2001:db8::/64", 0, 5, None),
        ("192.0.2.0/24", 3, 1, 3.0),
    ]
    assert [each["addresses"] for each in document["networks"]] == [1, 2]
    assert (document["waiting"], document["syn_recv"], document["unseen"]) == (3, 6, 0)


def test_of_equally_many_the_one_that_has_waited_longest_is_first() -> None:
    document = counted(("192.0.2.1", 1.0), ("192.0.2.3", 9.0), ("192.0.2.2", 1.0)).document(10, 3)
    assert [each["address"] for each in document["addresses"]] == ["192.0.2.3", "192.0.2.1", "192.0.2.2"]


def test_an_ipv4_mapped_address_is_the_ipv4_address() -> None:
    document = counted(("::ffff:192.0.2.1", 1.0), ("192.0.2.1", 2.0)).document(10, 2)
    assert figures(document["addresses"], "address") == [("192.0.2.1", 2, 0, 2.0)]
    assert [each["network"] for each in document["networks"]] == ["192.0.2.0/24"]


def test_what_is_left_out_is_counted() -> None:
    counts = counted(
        *((f"10.0.{network}.{host}", 1.0) for network in range(5) for host in range(network + 1))
    )
    document = counts.document(2, 15)
    assert [each["network"] for each in document["networks"]] == ["10.0.4.0/24", "10.0.3.0/24"]
    assert len(document["addresses"]) == 2
    assert document["omitted"] == {"addresses": 13, "networks": 3}
    assert document["waiting"] == 15


def test_those_in_the_queue_that_no_dump_shows_are_told() -> None:
    assert counted(("192.0.2.1", 1.0)).document(5, 17)["unseen"] == 16
    # More came since the sample.
    assert counted(("192.0.2.1", 1.0)).document(5, 0)["unseen"] == 0


@given(st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), max_size=40))
def test_no_connection_is_lost_and_each_address_is_in_its_network(addresses: list[Any]) -> None:
    counts = ClientCounts()
    for address in addresses:
        counts.add_waiting(address.packed, 1.0)
    document = counts.document(100, 0)
    for name in ("addresses", "networks"):
        assert sum(each["waiting"] for each in document[name]) == len(addresses)
    networks = [ip_network(each["network"]) for each in document["networks"]]
    for each in document["addresses"]:
        assert sum(ip_address(each["address"]) in network for network in networks) == 1
