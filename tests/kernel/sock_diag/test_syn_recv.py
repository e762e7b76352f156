"""Half-open connections are counted by endpoint."""

from __future__ import annotations

import socket

import pytest

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import Endpoint
from exporter.kernel.sock_diag import syn_recv
from tests.kernel.datagrams import SYN_RECV, datagram, inet_row, with_peer


def test_connections_through_different_interfaces_have_different_endpoints() -> None:
    rows = [inet_row(1, address="fe80::1", state=SYN_RECV, interface=interface) for interface in (2, 3, 2)]
    address = socket.inet_pton(socket.AF_INET6, "fe80::1")
    assert syn_recv.count([b"".join(rows)]) == {
        Endpoint(socket.AF_INET6, address, 8000, 2): 2,
        Endpoint(socket.AF_INET6, address, 8000, 3): 1,
    }


@pytest.mark.parametrize("state", [0, 1, 4, 8, 10, 11, 13, 255])
def test_a_row_in_another_state_is_malformed(state: int) -> None:
    with pytest.raises(MalformedReplyError):
        syn_recv.count([inet_row(1, state=state)])


def test_each_connection_has_its_endpoint_and_the_address_of_its_client() -> None:
    """Of rows of both families, in several datagrams."""
    peers = [("127.0.0.1", "192.0.2.1"), ("::1", "2001:db8::7"), ("127.0.0.1", "192.0.2.1")]
    rows = [with_peer(inet_row(1, address=local, state=SYN_RECV), client) for local, client in peers]
    found = syn_recv.peers([datagram(rows[:2]), rows[2]])
    assert [(socket.inet_ntop(local.family, local.address), client) for local, client in found] == [
        (local, socket.inet_pton(socket.AF_INET6 if ":" in client else socket.AF_INET, client))
        for local, client in peers
    ]


@pytest.mark.parametrize("state", [1, 10])
def test_a_client_in_another_state_is_malformed(state: int) -> None:
    with pytest.raises(MalformedReplyError):
        list(syn_recv.peers([inet_row(1, state=state)]))
