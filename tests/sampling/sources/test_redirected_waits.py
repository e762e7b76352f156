"""Waits of connections that were redirected: whose they are, and how seldom all connections are dumped."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.records import WaitingConnection
from tests.listeners.sockets import endpoint, tcp, waiting
from tests.sampling.simulation import Simulation

CLIENTS_PORT = endpoint("10.0.0.1", 443)
PROXY = tcp(1, port=15006, transparent=True)
OTHER = tcp(2, port=15001, transparent=True)
WEB = tcp(3, port=443)
# With the budget of 2 %, a dump that takes this long is made every 40 seconds.
DEAR_SECONDS = 0.2


def redirected(cookie: int, seconds: float, *, cgroup_id: int = 0) -> WaitingConnection:
    return waiting(cookie, CLIENTS_PORT, seconds, transparent=True, cgroup_id=cgroup_id)


def oldest(simulation: Simulation, port: str = "15006") -> float | None:
    """Ask for waits once more, and return that of the listener on this port."""
    asked = simulation.kernel.oldest_wait.asked
    while simulation.kernel.oldest_wait.asked == asked:
        simulation.tick()
    return simulation.listener("0.0.0.0", port).oldest_wait_seconds()


@pytest.fixture
def proxy(simulation: Simulation) -> Simulation:
    """A transparent listener, in whose queue three connections are."""
    simulation.kernel.tcp.open(PROXY, length=3)
    return simulation


def test_what_was_redirected_waits_at_the_transparent_listener(proxy: Simulation) -> None:
    proxy.kernel.connections = [redirected(1, 1.5), redirected(2, 4.5), redirected(3, 0.5)]
    assert oldest(proxy) == 4.5


def test_what_was_sent_to_its_own_port_waits_there_too(proxy: Simulation) -> None:
    direct = waiting(9, endpoint("10.0.0.1", 15006), 7.5, transparent=True)
    proxy.kernel.connections = [redirected(1, 1.5), direct]
    assert oldest(proxy) == 7.5
    proxy.kernel.connections = [redirected(1, 2.5), direct._replace(seconds=0.5)]
    assert oldest(proxy) == 2.5


def test_one_dump_is_enough_while_the_oldest_waits(proxy: Simulation) -> None:
    proxy.kernel.connections = [redirected(1, 4.5), redirected(2, 1.5)]
    found = [oldest(proxy)]
    for seconds in (5.5, 6.5, 7.5):
        proxy.kernel.connections = [redirected(1, seconds), redirected(3, 0.5)]
        found.append(oldest(proxy))
    assert found == [4.5, 5.5, 6.5, 7.5]
    assert (proxy.kernel.all_ports.asked, proxy.kernel.lookups.asked) == (1, 3)


def test_when_the_oldest_was_accepted_the_next_one_is_known(proxy: Simulation) -> None:
    proxy.kernel.connections = [redirected(1, 4.5), redirected(2, 3.5), redirected(3, 1.5)]
    oldest(proxy)
    proxy.kernel.connections = [redirected(3, 2.5), redirected(4, 0.5)]
    assert oldest(proxy) == 2.5
    assert proxy.kernel.all_ports.asked == 1


def test_when_all_that_were_known_are_gone_there_is_another_dump(proxy: Simulation) -> None:
    proxy.kernel.connections = [redirected(1, 4.5)]
    oldest(proxy)
    proxy.kernel.connections = [redirected(2, 0.5)]
    assert oldest(proxy) == 0.5
    assert proxy.kernel.all_ports.asked == 2


@pytest.mark.parametrize(("budget", "after"), [("2%", 40), ("8%", 10), ("100%", 1)])
def test_dumps_take_a_part_of_the_budget_and_no_more(simulation: Simulation, budget: str, after: int) -> None:
    simulation.configure(f"sampling: {{cpu_budget: {budget}}}")
    simulation.kernel.tcp.open(PROXY, length=3)
    simulation.kernel.all_ports.cost = DEAR_SECONDS
    simulation.kernel.connections = [redirected(1, 4.5)]
    oldest(simulation)
    began = simulation.clock.now
    found: list[float | None] = []
    while simulation.kernel.all_ports.asked == 1:
        # Each is accepted before the next sample.
        simulation.kernel.connections = [redirected(len(found) + 2, 0.5)]
        found.append(oldest(simulation))
    assert after - 1 <= simulation.clock.now - began <= after + 5
    assert set(found[:-1]) <= {None}
    assert found[-1] == 0.5


def test_the_budget_of_another_configuration_counts_from_the_next_dump(proxy: Simulation) -> None:
    proxy.configure("sampling: {cpu_budget: 100%}")
    proxy.kernel.all_ports.cost = DEAR_SECONDS
    began = proxy.clock.now
    while proxy.kernel.all_ports.asked < 5:
        oldest(proxy)
    assert proxy.clock.now - began < 30


def test_nothing_is_kept_of_a_queue_that_was_empty(proxy: Simulation) -> None:
    proxy.kernel.connections = [redirected(1, 4.5)]
    oldest(proxy)
    proxy.kernel.tcp.open(WEB, length=1)
    proxy.kernel.tcp.change(1, length=0)
    oldest(proxy)
    proxy.kernel.tcp.change(1, length=1)
    assert oldest(proxy) is None


def test_there_is_no_dump_where_all_were_sent_to_its_own_port(proxy: Simulation) -> None:
    at_port = endpoint("10.0.0.1", 15006)
    proxy.kernel.connections = [waiting(cookie, at_port, 1.0, transparent=True) for cookie in (1, 2, 3)]
    assert oldest(proxy) == 1.0
    assert proxy.kernel.all_ports.asked == 0


def test_there_is_no_dump_for_a_listener_that_is_not_transparent(simulation: Simulation) -> None:
    """Its connections ended with RST."""
    simulation.kernel.tcp.open(WEB, length=3)
    assert oldest(simulation, "443") is None
    assert simulation.kernel.all_ports.asked == 0


def test_a_listener_at_the_port_that_clients_asked_for_has_none_of_them(proxy: Simulation) -> None:
    proxy.kernel.tcp.open(WEB, length=1)
    proxy.kernel.connections = [redirected(1, 4.5)]
    proxy.kernel.waits = {CLIENTS_PORT: 1.5}
    assert oldest(proxy) == 4.5
    assert proxy.listener("0.0.0.0", "443").oldest_wait_seconds() == 1.5
    proxy.kernel.waits = {}
    oldest(proxy)
    assert proxy.listener("0.0.0.0", "443").oldest_wait_seconds() is None


def test_which_of_two_it_waits_at_is_not_known(proxy: Simulation) -> None:
    proxy.kernel.tcp.open(OTHER, length=2)
    proxy.kernel.connections = [redirected(1, 4.5)]
    assert [oldest(proxy), oldest(proxy, "15001")] == [None, None]


def test_it_is_not_older_than_the_queue_that_it_waits_in(proxy: Simulation) -> None:
    """The other queue was empty when the oldest came."""
    proxy.kernel.tcp.open(OTHER)
    proxy.run_for(0.5)
    proxy.kernel.connections = [redirected(1, 4.5)]
    assert oldest(proxy) == 4.5
    proxy.kernel.tcp.change(2, length=1)
    proxy.kernel.connections = [redirected(1, 5.5), redirected(2, 0.5)]
    assert [oldest(proxy), oldest(proxy, "15001")] == [5.5, None]
    proxy.kernel.connections = [redirected(3, 0.3)]
    assert [oldest(proxy), oldest(proxy, "15001")] == [None, None]


def test_a_queue_that_was_seen_empty_just_before_may_have_a_young_one(proxy: Simulation) -> None:
    """It came between the sample of the queues and the dump."""
    proxy.kernel.tcp.open(OTHER)
    proxy.run_for(1.1)
    proxy.kernel.connections = [redirected(1, 0.01)]
    assert oldest(proxy) is None


def test_only_connections_of_the_cgroup_of_the_listener_are_dumped(simulation: Simulation) -> None:
    mine = tcp(1, port=15006, transparent=True, cgroup_id=7)
    other = tcp(2, port=15001, transparent=True, cgroup_id=8)
    simulation.kernel.tcp.open(mine, other, length=1)
    simulation.kernel.connections = [redirected(1, 4.5, cgroup_id=7), redirected(2, 6.5, cgroup_id=8)]
    assert oldest(simulation) == 4.5
    assert simulation.listener("0.0.0.0", "15001").oldest_wait_seconds() == 6.5
    simulation.kernel.tcp.change(2, length=0)
    simulation.kernel.connections = [redirected(3, 1.5, cgroup_id=7)]
    assert oldest(simulation) == 1.5
    assert simulation.kernel.cgroups_asked == [{7, 8}, {7}]


def test_where_a_cgroup_is_not_known_all_are_dumped(proxy: Simulation) -> None:
    proxy.kernel.tcp.open(tcp(2, port=15001, transparent=True, cgroup_id=7), length=1)
    oldest(proxy)
    assert proxy.kernel.cgroups_asked == [set()]


@pytest.mark.parametrize("request_name", ["all_ports", "lookups"])
def test_a_failure_is_that_of_the_source(proxy: Simulation, request_name: str) -> None:
    proxy.kernel.connections = [redirected(1, 4.5)]
    if request_name == "lookups":
        oldest(proxy)
    getattr(proxy.kernel, request_name).error = KernelError("dump failed", "ENOBUFS")
    oldest(proxy)
    assert not proxy.runner("oldest_wait").healthy(proxy.clock.now)
    getattr(proxy.kernel, request_name).error = None
    assert oldest(proxy) == 4.5
    assert proxy.runner("oldest_wait").healthy(proxy.clock.now)
