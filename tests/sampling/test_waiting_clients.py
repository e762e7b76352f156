"""The clients that most connections wait from."""

from __future__ import annotations

import socket

from exporter.kernel.records import IPV4_MAPPED_PREFIX
from exporter.sampling.waiting_clients import WaitingClient, most_waiting
from tests.listeners.sockets import endpoint, waiting

IPV4 = bytes([10, 0, 0, 9])


def test_an_ipv4_mapped_address_is_the_ipv4_address() -> None:
    found = most_waiting(
        [
            waiting(1, endpoint("::"), 1.0)._replace(peer_address=IPV4_MAPPED_PREFIX + IPV4),
            waiting(2, endpoint("::"), 1.0)._replace(
                peer_address=socket.inet_pton(socket.AF_INET6, "fd00::1")
            ),
            waiting(3, endpoint("0.0.0.0"), 1.0)._replace(peer_address=IPV4),
        ]
    )
    assert found == (WaitingClient("10.0.0.9", 2), WaitingClient("fd00::1", 1))


def test_of_no_connection_there_is_no_client() -> None:
    assert most_waiting([]) == ()
