"""Waits on a host where a walk over all connections costs more than every namespace can afford."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.procfs.refcount import RefCount
from exporter.sampling.sources.oldest_wait import OldestWait
from tests.listeners.sockets import endpoint, tcp, waiting
from tests.sampling.simulation import Simulation

HERE = endpoint("10.0.0.1")
THERE = endpoint("10.0.0.1", 81)
# Half of a per cent of a core, a quarter of the budget, is a walk every ten seconds.
DEAR_SECONDS = 0.05
BETWEEN_SECONDS = 10.0


def oldest(simulation: Simulation, port: str = "80") -> float | None:
    """Ask for waits once more, and return that of the listener on this port."""
    simulation.run_for(1.0)
    return simulation.listener("0.0.0.0", port).oldest_wait_seconds()


def walks(simulation: Simulation) -> int:
    return simulation.kernel.oldest_wait.asked


@pytest.fixture
def dear(simulation: Simulation) -> Simulation:
    """Two listeners, on a host where it is known that a walk is dear and one is not allowed for a while."""
    simulation.kernel.tcp.open(tcp(1), tcp(2, port=81))
    simulation.kernel.syn_recv_dump.cost = simulation.kernel.oldest_wait.cost = DEAR_SECONDS
    simulation.kernel.references.held = {100: RefCount(1, 0), 200: RefCount(1, 0)}
    simulation.tick()
    simulation.clock.now += 3 * BETWEEN_SECONDS
    return simulation


def test_while_the_oldest_waits_it_is_looked_up(dear: Simulation) -> None:
    dear.kernel.tcp.change(1, length=2)
    dear.kernel.connections = [waiting(1, HERE, 4.0), waiting(2, HERE, 1.0)]
    found = [oldest(dear)]
    for seconds in (5.0, 6.0, 7.0):
        dear.kernel.connections[0] = waiting(1, HERE, seconds)
        found.append(oldest(dear))
    assert found == [4.0, 5.0, 6.0, 7.0]
    assert walks(dear) == 1


def test_until_a_walk_is_allowed_the_wait_of_another_is_not_known(dear: Simulation) -> None:
    dear.kernel.tcp.change(1, length=1)
    dear.kernel.connections = [waiting(1, HERE, 4.0)]
    assert oldest(dear) == 4.0
    dear.kernel.tcp.change(2, length=1)
    dear.kernel.connections = [waiting(1, HERE, 5.0), waiting(2, THERE, 0.5)]
    found = [(oldest(dear), oldest(dear, "81")) for _ in range(10)]
    assert found[:4] == [(5.0, None)] * 4
    assert found[-1] == (5.0, 0.5)
    assert walks(dear) == 2


def test_walks_take_no_more_than_the_limit_where_connections_are_accepted_all_the_time(
    dear: Simulation,
) -> None:
    dear.kernel.tcp.change(1, length=1)
    for cookie in range(60):
        dear.kernel.connections = [waiting(cookie, HERE, 0.5)]
        oldest(dear)
    assert walks(dear) == pytest.approx(60 / BETWEEN_SECONDS, abs=1)
    source = dear.namespace.source(OldestWait)
    assert source.limited_seconds == pytest.approx(walks(dear) * DEAR_SECONDS)
    assert dear.runner("oldest_wait").schedule.interval_in_force == 1.0


def test_where_a_walk_is_cheap_there_is_one_each_time(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=1)
    simulation.kernel.oldest_wait.cost = 0.001
    for cookie in range(10):
        simulation.kernel.connections = [waiting(cookie, HERE, 0.5)]
        assert oldest(simulation) == 0.5
    assert walks(simulation) == 10
    assert (simulation.kernel.lookups.asked, simulation.namespace.source(OldestWait).limited_seconds) == (
        0,
        0,
    )


def test_a_connection_at_another_address_of_the_port_is_not_asked_about(simulation: Simulation) -> None:
    """It came after the sample of the listeners, which found that queue empty."""
    simulation.kernel.tcp.open(tcp(1, "10.0.0.1"), tcp(2, "10.0.0.2"))
    simulation.kernel.tcp.change(1, length=1)
    simulation.kernel.connections = [waiting(1, HERE, 4.0), waiting(2, endpoint("10.0.0.2"), 0.01)]
    simulation.run_for(1.0)
    found = [simulation.listener(f"10.0.0.{number}").oldest_wait_seconds() for number in (1, 2)]
    assert found == [4.0, 0.0]


def test_a_walk_that_fails_counts_as_one(dear: Simulation) -> None:
    dear.kernel.tcp.change(1, length=1)
    dear.kernel.oldest_wait.error = KernelError("sock_diag dump", "ENOBUFS")
    oldest(dear)
    assert dear.runner("oldest_wait").stats.errors == {"ENOBUFS": 1}
    dear.kernel.oldest_wait.error = None
    dear.kernel.connections = [waiting(1, HERE, 4.0)]
    found = [oldest(dear) for _ in range(10)]
    assert (found[:4], found[-1]) == ([None] * 4, 4.0)
    assert walks(dear) == 2
