"""Half-open connections are counted by endpoint."""

from __future__ import annotations

import socket

import pytest

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import Endpoint
from exporter.kernel.sock_diag import syn_recv
from tests.kernel.datagrams import SYN_RECV, inet_row


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
