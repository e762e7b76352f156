"""How long the oldest connection has waited for accept."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

import pytest

from testbed.daemon import running
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled
from tests.integration.waits import OLDEST, expect_age, one_client


@pytest.mark.netns
def test_the_wait_grows_with_real_time_until_the_connection_is_accepted() -> None:
    with listening_sockets.tcp("127.0.0.1") as listener, running(config=EAGER) as daemon:
        until_figure(daemon, 0, OLDEST, port="8080")
        client, since = one_client(listener)
        expect_age(daemon, since, at_least=0.5, port="8080")
        younger, _ = one_client(listener)
        expect_age(daemon, since, at_least=2.0, port="8080")
        listening_sockets.accept(listener, 2)
        until_figure(daemon, 0, OLDEST, port="8080")
        with client, younger:
            pass


@pytest.mark.netns
def test_after_the_oldest_is_accepted_the_next_one_counts() -> None:
    """Accepted connections on the same port are older, and do not."""
    with listening_sockets.tcp("127.0.0.1") as listener, running(config=EAGER) as daemon:
        oldest, since = one_client(listener)
        expect_age(daemon, since, at_least=1.0, port="8080")
        younger, since_younger = one_client(listener)
        with listener.accept()[0], oldest, younger:
            expect_age(daemon, since_younger, port="8080")


def send(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)


def shut_down(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def close(client: socket.socket) -> None:
    client.close()


@pytest.mark.netns
@pytest.mark.parametrize("then", [send, shut_down, close])
def test_what_the_client_does_while_it_waits_changes_nothing(then: Callable[[socket.socket], None]) -> None:
    """One that gave up leaves its connection in the queue, in CLOSE_WAIT."""
    with listening_sockets.tcp("127.0.0.1") as listener, running(config=EAGER) as daemon:
        client, since = one_client(listener)
        expect_age(daemon, since, at_least=0.5, port="8080")
        then(client)
        until_sampled(daemon, "oldest_wait", 2)
        expect_age(daemon, since, at_least=1.0, port="8080")
        assert figure(daemon, "accept_length", port="8080") == 1
        client.close()


@pytest.mark.netns
def test_a_client_that_reset_its_connection_still_waits_and_has_no_age() -> None:
    """The kernel keeps it in the queue and shows it to nobody, so there is a length and no age."""
    with listening_sockets.tcp("127.0.0.1") as listener, running(config=EAGER) as daemon:
        client, _ = one_client(listener)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        until_figure(daemon, 1, "accept_length", port="8080")
        until_sampled(daemon, "oldest_wait", 2)
        assert figure(daemon, "accept_length", port="8080") == 1
        assert figure(daemon, OLDEST, port="8080") is None


@pytest.mark.netns
@pytest.mark.parametrize("addresses", [("127.0.0.1", "127.0.0.2"), ("127.0.0.1", "::1"), ("::", "127.0.0.1")])
def test_the_wait_belongs_to_the_right_listener_of_two_on_a_port(addresses: tuple[str, str]) -> None:
    first, second = (listening_sockets.tcp(address, reuse_port=True) for address in addresses)
    with first, second, running(config=EAGER) as daemon:
        destination = addresses[0].replace("::", "::1")
        before = time.time()
        (older,) = listening_sockets.clients(first, 1, destination)
        since = (before, time.time())
        expect_age(daemon, since, at_least=1.0, address=addresses[0], port="8080")
        until_figure(daemon, 0, OLDEST, address=addresses[1], port="8080")
        younger, since_younger = one_client(second)
        with older, younger:
            expect_age(daemon, since_younger, address=addresses[1], port="8080")
            expect_age(daemon, since, address=addresses[0], port="8080")


@pytest.mark.netns
def test_unix_listeners_have_no_such_series() -> None:
    with listening_sockets.unix("\0queue") as listener, running(config=EAGER) as daemon:
        (client,) = listening_sockets.clients(listener, 1)
        until_figure(daemon, 1, "accept_length", protocol="unix")
        with client:
            assert figure(daemon, OLDEST, protocol="unix") is None
            assert figure(daemon, "syn_recv", protocol="unix") is None
            assert figure(daemon, "drops_total", protocol="unix") is None
