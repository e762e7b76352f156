"""Half-open connections and the oldest wait: at which listener they are counted."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.procfs.counters import Sysctls
from exporter.sampling.sources.syn_recv import SynRecv
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.fake_namespace import SYSCTLS
from tests.sampling.simulation import Simulation


def test_syn_recv_connections_are_counted_at_their_listener(simulation: Simulation) -> None:
    """Several endpoints of one wildcard add up; what fits no listener is counted apart."""
    simulation.kernel.tcp.open(tcp(1), tcp(2, "127.0.0.1"))
    simulation.kernel.syn_recv_dump.counts = {
        endpoint("10.0.0.1"): 4,
        endpoint("10.0.0.2"): 1,
        endpoint("127.0.0.1"): 2,
        endpoint("10.0.0.1", 9999): 7,
    }
    simulation.tick()
    queues = [simulation.listener(address).syn_recv for address in ("0.0.0.0", "127.0.0.1")]
    assert [queue.length for queue in queues if queue] == [5, 2]
    assert [queue.ratio for queue in queues if queue] == [0.5, 0.2]
    assert simulation.namespace.source(SynRecv).unmatched == 7


def test_what_a_walk_takes_is_told_whether_it_succeeds_or_not(simulation: Simulation) -> None:
    """The first count is one that the limit of walks accounts for."""
    simulation.kernel.syn_recv_dump.cost = 0.02
    simulation.kernel.syn_recv_dump.error = KernelError("dump failed", "ENOBUFS")
    simulation.tick()
    source = simulation.namespace.source(SynRecv)
    assert (source.limited_seconds, source.stats.samples) == (0.02, 0)
    simulation.kernel.syn_recv_dump.error = None
    simulation.run_for(0.5)
    assert (source.limited_seconds, source.stats.samples) == (0.04, 2)


def test_syn_recv_connections_go_back_to_zero(simulation: Simulation) -> None:
    """The kernel has no row for a listener without any; its peak stays."""
    simulation.kernel.tcp.open(tcp(1))
    simulation.kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): 4}
    simulation.tick()
    simulation.kernel.syn_recv_dump.counts = {}
    simulation.run_for(0.5)
    queue = simulation.listener("0.0.0.0").syn_recv
    assert queue is not None
    assert (queue.length, queue.peak_length()) == (0, 4)


def test_listener_without_syn_recv_connections_has_zero(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1))
    simulation.kernel.unix.open(unix(2))
    simulation.tick()
    queue = simulation.listener("0.0.0.0").syn_recv
    assert queue is not None
    assert queue.length == 0
    assert simulation.listener("/run/app.sock", "").syn_recv is None


def test_listener_that_opens_gets_its_syn_recv_connections(simulation: Simulation) -> None:
    """The index of listeners is made anew when they change."""
    simulation.kernel.tcp.open(tcp(1))
    simulation.kernel.syn_recv_dump.counts = {endpoint("127.0.0.1"): 4}
    simulation.run_for(0.5)
    simulation.kernel.tcp.open(tcp(2, "127.0.0.1"))
    simulation.run_for(0.5)
    lengths = [queue.length for at in ("0.0.0.0", "127.0.0.1") if (queue := simulation.listener(at).syn_recv)]
    assert lengths == [0, 4]


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        (SYSCTLS, 5000),
        (Sysctls(4096, 1024, 2, 0), 5000),
        (Sysctls(4096, 1024, 0, 0), 769),
        (Sysctls(4096, 65536, 0, 0), 5000),
        (Sysctls(4096, None, 0, 0), 5000),
        (Sysctls(None, None, None, None), 5000),
    ],
)
def test_syn_recv_limit_is_lower_where_cookies_are_off(
    simulation: Simulation, settings: Sysctls, limit: int
) -> None:
    simulation.kernel.tcp.open(tcp(1), limit=4999)
    simulation.kernel.settings = settings
    simulation.tick()
    assert simulation.listener("0.0.0.0").syn_recv_limit() == limit


def test_oldest_wait_is_absent_until_it_is_measured(simulation: Simulation) -> None:
    """Zero means that none waits, and must not mean that none was looked for."""
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    web = simulation.listener("0.0.0.0")
    simulation.kernel.tcp.change(1, length=2)
    simulation.kernel.waits = {
        endpoint("10.0.0.1"): 1.5,
        endpoint("10.0.0.2"): 2.5,
        endpoint("10.0.0.1", 81): 9.0,
    }
    waits = [web.oldest_wait_seconds()]
    for _ in range(2):
        simulation.tick()
        waits.append(web.oldest_wait_seconds())
    simulation.run_for(1.0)
    waits.append(web.oldest_wait_seconds())
    simulation.kernel.tcp.change(1, length=0)
    simulation.tick()
    waits.append(web.oldest_wait_seconds())
    simulation.kernel.tcp.change(1, length=1)
    simulation.tick()
    waits.append(web.oldest_wait_seconds())
    assert waits == [0.0, None, None, 2.5, 0.0, None]


def test_kernel_is_not_asked_where_no_connection_waits(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1))
    simulation.run_for(3.0)
    assert simulation.kernel.oldest_wait.asked == 0
    assert simulation.runner("oldest_wait").healthy(simulation.clock.now)


def test_wait_of_a_connection_that_was_accepted_meanwhile_is_absent(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=1)
    simulation.kernel.waits = {endpoint("10.0.0.1"): 1.5}
    simulation.run_for(1.1)
    simulation.kernel.waits = {}
    simulation.run_for(1.0)
    assert simulation.listener("0.0.0.0").oldest_wait_seconds() is None


def test_unix_listener_has_no_wait(simulation: Simulation) -> None:
    simulation.kernel.unix.open(unix(1), length=1)
    simulation.tick()
    assert simulation.listener("/run/app.sock", "").oldest_wait_seconds() is None


def test_a_failure_is_void_once_no_connection_waits(simulation: Simulation) -> None:
    """An empty queue has an age of 0, whatever went wrong before."""
    simulation.kernel.tcp.open(tcp(1), length=1)
    simulation.kernel.oldest_wait.error = KernelError("dump failed", "ENOBUFS")
    simulation.tick()
    failed = simulation.runner("oldest_wait").healthy(simulation.clock.now)
    simulation.kernel.tcp.change(1, length=0)
    simulation.run_for(1.1)
    assert (failed, simulation.runner("oldest_wait").healthy(simulation.clock.now)) == (False, True)
