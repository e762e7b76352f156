"""Half-open connections: counted by a walk and by reference counts, and how many the kernel admits."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.records import Endpoint, Method
from exporter.sampling.sources.syn_recv_counter import REFCOUNT
from testbed import flood, namespace
from testbed.daemon import running
from testbed.repeated import repeated
from testbed.waiting import equals, until
from tests.integration import listening_sockets, reference
from tests.integration.listening_sockets import TUN_IPV4, TUN_IPV6
from tests.integration.metric_values import figure, until_figure
from tests.integration.test_reference_counts import Counted
from tests.machines.kernels import CONFIG

COUNTS = {"8080": 0, "8081": 1, "8082": 100, "8083": 5000}
READS = 20
# The kernel keeps the connections for almost an hour, and not for a minute, however slow the machine is.
RETRIES = 30
BACKLOGS = (0, 1, 4, 100)

pytestmark = [pytest.mark.netns, pytest.mark.timeout(1500)]


@pytest.mark.parametrize("churn", [pytest.param(False, marks=pytest.mark.short), True])
def test_counts_by_walk_and_by_reference_count_are_those_of_ss(
    *, churn: bool, seen: Callable[[str, object], None]
) -> None:
    namespace.write_sysctl("net.core.somaxconn", 2 * COUNTS["8083"])
    namespace.write_sysctl("net.ipv4.tcp_synack_retries", RETRIES)
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        for number, port in enumerate(COUNTS):
            address = (TUN_IPV4, TUN_IPV6)[number % 2]
            stack.enter_context(listening_sockets.tcp(address, int(port), backlog=2 * COUNTS["8083"]))
        # What is there at first sight has to be confirmed by a walk, so the counting begins before.
        by_reference = Counted()
        walks = {method: own_namespace().syn_recv(method) for method in (Method.SOCK_DIAG, Method.PROCFS)}
        for number, (port, count) in enumerate(COUNTS.items()):
            flood.syn_flood(tun, (TUN_IPV4, TUN_IPV6)[number % 2], int(port), count)
        if churn:
            stack.enter_context(repeated(_churn))
        # A listener that has just opened may be read in place of another, of which the last figure is kept.
        until(by_reference.read, lambda found: COUNTS.items() <= found.items())
        for _ in range(READS):
            found = by_reference.read()
            assert {port: found[port] for port in COUNTS} == COUNTS
            for method, reader in walks.items():
                assert _by_port(reader.read(time.monotonic())) == COUNTS, method
        assert (by_reference.source.method, by_reference.source.disagreements) == (REFCOUNT, 0)
        assert reference.syn_recv() >= sum(COUNTS.values())
    counts = ", ".join(f"{count:,}" for count in COUNTS.values())
    seen(
        f"half-open {counts}{' beside churn' if churn else ''}: right by walk, table and reference count",
        f"{READS} times",
    )


@pytest.mark.parametrize("cookies", [0, pytest.param(1, marks=pytest.mark.short)])
def test_the_limit_is_what_the_kernel_admits(cookies: int, seen: Callable[[str, object], None]) -> None:
    namespace.write_sysctl("net.ipv4.tcp_syncookies", cookies)
    namespace.write_sysctl("net.ipv4.tcp_synack_retries", RETRIES)
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        listeners = [
            stack.enter_context(listening_sockets.tcp(TUN_IPV4, 8080 + number, backlog=backlog))
            for number, backlog in enumerate(BACKLOGS)
        ]
        daemon = stack.enter_context(running(config=CONFIG))
        admitted = []
        for number, backlog in enumerate(BACKLOGS):
            flood.syn_flood(tun, TUN_IPV4, 8080 + number, backlog + 50)
            admitted.append(reference.syn_recv_of(listeners[number]))
            # The kernel gives up connections of a full queue after some seconds; the peak stays.
            until_figure(daemon, admitted[-1], "syn_recv_peak", port=str(8080 + number))
        limits = [
            figure(daemon, "syn_recv_limit", port=str(8080 + number)) for number in range(len(BACKLOGS))
        ]
        assert limits == admitted
        # The last one is limited by tcp_max_syn_backlog where cookies are off.
        more = admitted[0]
        assert more in {0, 1}
        assert admitted[:-1] == [backlog + more for backlog in BACKLOGS[:-1]]
    seen(
        f"half-open connections that a socket may have, tcp_syncookies={cookies}",
        f"backlog{' + 1' if more else ''}",
    )


def test_a_listener_that_closes_leaves_none_that_are_counted_elsewhere() -> None:
    with flood.Tun() as tun, listening_sockets.tcp("0.0.0.0", 8081), running(config=CONFIG) as daemon:
        with listening_sockets.tcp("0.0.0.0"):
            flood.syn_flood(tun, TUN_IPV4, 8080, 7)
            until_figure(daemon, 7, "syn_recv", port="8080")
        until(lambda: figure(daemon, "syn_recv", port="8080"), equals(None))
        until_figure(daemon, 0, "syn_recv_unmatched")
        assert figure(daemon, "syn_recv", port="8081") == 0


def _by_port(found: dict[Endpoint, int]) -> dict[str, int]:
    """Of the ports that are flooded; clients of the churn may be half-open too."""
    counts = dict.fromkeys(COUNTS, 0)
    for endpoint, count in found.items():
        if str(endpoint.port) in counts:
            counts[str(endpoint.port)] += count
    return counts


def _churn() -> None:
    """Open a listener, connect to it, and close both."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
