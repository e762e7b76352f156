"""The exporter ends at a signal, whatever it is doing."""

from __future__ import annotations

import http.client
import socket
from contextlib import ExitStack
from signal import SIGINT, SIGTERM, Signals

import pytest

from testbed import flood, namespace
from testbed.daemon import Daemon, running
from tests.integration import listening_sockets
from tests.integration.metric_values import until_sampled

# Half a second on a machine that has nothing else to do; where it waits for a client, it never ends.
MAX_SECONDS = 20.0
BUSY = "sampling: {interval: 1ms, cpu_budget: 100%}\n"
SIGNALS = pytest.mark.parametrize("number", [SIGTERM, SIGINT], ids=["SIGTERM", "SIGINT"])


def expect_end(daemon: Daemon, number: Signals) -> None:
    """It ends soon, with status 0 and without an error in its log."""
    daemon.signal(number)
    assert daemon.wait(MAX_SECONDS) == 0
    assert "Traceback" not in daemon.log
    assert "level=error" not in daemon.log


@pytest.mark.netns
@SIGNALS
def test_a_signal_while_it_samples_ends_it_in_time_with_status_0(number: Signals) -> None:
    """Among hundreds of listeners, all of them read again and again."""
    with ExitStack() as stack:
        for index in range(300):
            stack.enter_context(listening_sockets.unix(f"\0queue-{index}"))
        daemon = stack.enter_context(running(config=BUSY))
        until_sampled(daemon, "unix")
        expect_end(daemon, number)


@pytest.mark.netns
@pytest.mark.fault(
    "SIGTERM while there are 20,000 half-open connections",
    "it ends with status 0, and logs no error",
)
def test_a_flood_does_not_keep_it_from_ending_in_time() -> None:
    namespace.write_sysctl("net.core.somaxconn", 40_000)
    with (
        flood.Tun() as tun,
        listening_sockets.tcp(listening_sockets.TUN_IPV4, backlog=40_000),
        running(config=BUSY) as daemon,
    ):
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 20_000)
        until_sampled(daemon, "syn_recv")
        expect_end(daemon, SIGTERM)


@pytest.mark.netns
@SIGNALS
def test_connected_clients_do_not_keep_it_from_ending(number: Signals) -> None:
    """One that sends nothing, one in the middle of a header, and one that does not read its page."""
    with ExitStack() as stack, running(config=BUSY) as daemon:
        for sent in (b"", b"GET /metrics HT", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port)))
            client.sendall(sent)
        idle = http.client.HTTPConnection("127.0.0.1", daemon.port)
        idle.request("GET", "/-/healthy")
        idle.getresponse().read()
        expect_end(daemon, number)
        idle.close()


@pytest.mark.netns
def test_its_port_is_free_at_once_for_the_next_one() -> None:
    with running(config=BUSY) as daemon:
        daemon.metrics()
        expect_end(daemon, SIGTERM)
    with running(config=BUSY) as daemon:
        expect_end(daemon, SIGTERM)
