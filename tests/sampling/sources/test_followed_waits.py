"""How long connections had waited that left a queue."""

from __future__ import annotations

import gc

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.records import WaitingConnection
from exporter.sampling.followed_limit import MAX_FOLLOWED
from exporter.sampling.history.waits import NO_WAITS
from exporter.sampling.sources.oldest_wait import OldestWait
from tests.listeners.sockets import endpoint, tcp, waiting
from tests.sampling.simulation import TICK_SECONDS, Simulation

FULL = "defaults: {export: full}"
HERE = endpoint("10.0.0.1")
# A connection that is gone has left in the middle between two samples, as far as is known.
HALF = TICK_SECONDS / 2


@pytest.fixture
def full() -> Simulation:
    """One listener that publishes waits."""
    simulation = Simulation(FULL)
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    return simulation


def queue(simulation: Simulation, *connections: WaitingConnection, cookie: int = 1) -> None:
    """Have these wait, at one socket as long as no other is asked for, and sample once."""
    simulation.kernel.connections = list(connections)
    simulation.kernel.tcp.change(cookie, length=len(connections))
    simulation.tick()


def ended(simulation: Simulation, port: str = "80") -> tuple[int, float]:
    """How many waits have ended, and their sum."""
    simulation.tick(3)
    waits = simulation.listener("0.0.0.0", port).waits()
    assert waits is not None
    counts, total = waits.histogram()
    return counts[-1], total


def test_one_that_is_gone_has_waited_to_the_middle_of_the_interval(full: Simulation) -> None:
    queue(full, waiting(1, HERE, 1.0), waiting(2, HERE, 0.2))
    queue(full, waiting(2, HERE, 0.25))
    assert ended(full) == pytest.approx((1, 1.0 + HALF))
    histogram = full.listener("0.0.0.0").waits()
    assert histogram is not None
    assert histogram.counts == (0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0)


def test_the_last_ones_count_when_the_queue_is_empty(full: Simulation) -> None:
    """An empty queue is not asked about, and its last connections have left it all the same."""
    queue(full, waiting(1, HERE, 1.0), waiting(2, HERE, 0.2))
    asked = full.kernel.oldest_wait.asked
    queue(full)
    assert ended(full) == pytest.approx((2, 1.2 + 2 * HALF))
    assert full.kernel.oldest_wait.asked == asked
    assert full.runner("oldest_wait").idle


def test_one_that_no_sample_saw_is_not_in_it(full: Simulation) -> None:
    full.tick(5)
    queue(full, waiting(1, HERE, 0.01))
    queue(full, waiting(2, HERE, 0.01))
    queue(full, waiting(3, HERE, 0.01))
    queue(full)
    assert ended(full) == pytest.approx((3, 3 * (0.01 + HALF)))


def test_what_waits_at_a_listener_that_closes_does_not_count(full: Simulation) -> None:
    """The kernel resets it. That the listener is gone is known two samples later."""
    queue(full, waiting(1, HERE, 1.0), waiting(2, HERE, 0.2))
    full.kernel.connections = []
    # One that lacked them, and one that lacked the listener for the first time.
    full.tick(2)
    full.kernel.tcp.close(1)
    full.tick(3)
    assert full.runner("oldest_wait").idle
    full.kernel.tcp.open(tcp(2))
    assert ended(full) == (0, 0.0)
    queue(full, waiting(3, HERE, 1.0), cookie=2)
    queue(full, cookie=2)
    assert ended(full) == pytest.approx((1, 1.0 + HALF))


def test_while_one_socket_of_several_closes_nothing_counts(full: Simulation) -> None:
    """It is not known at which of them a connection waited."""
    full.kernel.tcp.open(tcp(2))
    full.tick()
    queue(full, waiting(1, HERE, 1.0), waiting(2, HERE, 0.5))
    full.kernel.tcp.close(2)
    queue(full, waiting(2, HERE, 0.55))
    assert ended(full) == (0, 0.0)
    queue(full)
    # It waited on through the samples of `ended`.
    assert ended(full) == pytest.approx((1, 0.55 + 3 * TICK_SECONDS + HALF))


def test_a_socket_that_joins_others_changes_nothing(full: Simulation) -> None:
    queue(full, waiting(1, HERE, 1.0))
    full.kernel.tcp.open(tcp(2))
    queue(full)
    assert ended(full) == pytest.approx((1, 1.0 + HALF))


def test_one_that_another_listener_claims_has_not_left(full: Simulation) -> None:
    """A socket with a more exact address seems to have what waits at the other."""
    queue(full, waiting(1, HERE, 1.0))
    full.kernel.tcp.open(tcp(2, "10.0.0.1"))
    full.tick(2)
    assert ended(full) == (0, 0.0)


def test_where_several_programs_have_one_port_nothing_counts(full: Simulation) -> None:
    """While both have connections that wait, it is not known which of them has one."""
    full.kernel.tcp.open(tcp(2))
    full.host.run(10, b"blue", 100)
    full.host.run(11, b"green", 200)
    full.run_for(2.0)
    assert full.published() == [("0.0.0.0", "blue"), ("0.0.0.0", "green")]
    queue(full, waiting(1, HERE, 1.0))
    queue(full)
    full.tick(3)
    found = [state.waits() for state in full.namespace.table.states.values()]
    assert found == [NO_WAITS, NO_WAITS]


def test_after_a_gap_nothing_is_known_of_those_that_are_gone(full: Simulation) -> None:
    queue(full, waiting(1, HERE, 1.0), waiting(2, HERE, 0.5))
    full.clock.now += 6.0
    queue(full, waiting(2, HERE, 6.6))
    assert ended(full) == (0, 0.0)


def test_a_dump_that_fails_makes_the_interval_longer(full: Simulation) -> None:
    queue(full, waiting(1, HERE, 1.0), waiting(2, HERE, 0.5))
    full.kernel.oldest_wait.error = KernelError("sock_diag dump", "ENOBUFS")
    queue(full, waiting(2, HERE, 0.55))
    full.kernel.oldest_wait.error = None
    full.tick()
    assert ended(full) == pytest.approx((1, 1.0 + TICK_SECONDS))


def test_without_export_full_nothing_is_counted_and_little_is_asked() -> None:
    simulation = Simulation("rules: [{name: web, match: {port: 81}, export: lean}]")
    simulation.kernel.tcp.open(tcp(1), tcp(2, port=81))
    simulation.tick()
    assert simulation.runner("oldest_wait").schedule.interval == 1.0
    queue(simulation, waiting(1, HERE, 1.0))
    simulation.run_for(1.0)
    queue(simulation)
    simulation.run_for(1.0)
    assert ended(simulation) == (0, 0.0)
    simulation.configure("rules: [{name: web, match: {port: 81}, export: full}]")
    assert simulation.runner("oldest_wait").schedule.interval == TICK_SECONDS
    queue(simulation, waiting(1, HERE, 1.0))
    queue(simulation)
    assert (ended(simulation), ended(simulation, "81")) == ((0, 0.0), (0, 0.0))
    queue(simulation, waiting(1, endpoint("10.0.0.1", 81), 1.0), cookie=2)
    queue(simulation, cookie=2)
    assert ended(simulation) == (0, 0.0)
    assert ended(simulation, "81") == pytest.approx((1, 1.0 + HALF))


def test_a_folded_listener_has_the_waits_of_all() -> None:
    simulation = Simulation("rules: [{name: ftp, match: {port: 8000-8999}, fold: true, export: full}]")
    simulation.kernel.tcp.open(tcp(1, port=8001), tcp(2, port=8002))
    simulation.run_for(2.0)
    for cookie, port in ((1, 8001), (2, 8002)):
        queue(simulation, waiting(cookie, endpoint("10.0.0.1", port), 1.0), cookie=cookie)
        queue(simulation, cookie=cookie)
        simulation.tick(3)
    with simulation.sampler.lock:
        (folded,) = simulation.sampler.published(simulation.clock.now)
    waits = folded.waits()
    assert waits is not None
    assert waits.counts == (0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0)
    assert waits.sum == pytest.approx(2 * (1.0 + HALF))


def test_procfs_tells_no_waits(full: Simulation) -> None:
    queue(full, waiting(1, HERE, 1.0))
    full.kernel.tcp.change_to_procfs()
    full.tick(3)
    assert full.listener("0.0.0.0").waits() is None
    assert not full.runner("oldest_wait").healthy(full.clock.now)
    full.kernel.tcp.change(100, length=0)
    full.tick(3)
    assert full.runner("oldest_wait").healthy(full.clock.now)


def test_where_a_walk_is_dear_those_that_were_found_are_looked_up() -> None:
    """Of 300 that wait 100 are accepted in each interval."""
    simulation = Simulation(FULL)
    simulation.kernel.tcp.open(tcp(1))
    simulation.kernel.oldest_wait.cost = simulation.kernel.syn_recv_dump.cost = 0.05
    simulation.tick()
    # A dump costs more than the budget has for it, as is known after two, and is allowed now and then.
    simulation.clock.now += 30.0
    queue(simulation, *(waiting(cookie, HERE, 2.0 - cookie / 1000) for cookie in range(300)))
    assert simulation.namespace.source(OldestWait).limited_seconds > 0
    walks = simulation.kernel.oldest_wait.asked
    for gone in (100, 200, 300):
        simulation.kernel.connections = simulation.kernel.connections[100:]
        simulation.kernel.tcp.change(1, length=300 - gone)
        simulation.tick()
    count, total = ended(simulation)
    assert (count, simulation.kernel.oldest_wait.asked - walks) == (300, 0)
    # All had waited about 1.85 s when they were found.
    assert total == pytest.approx(300 * 1.8505 + 100 * (1 + 3 + 5) * HALF, abs=300 * HALF)
    assert simulation.kernel.lookups.asked < 60


def known() -> int:
    """How many connections this process has in memory, for whatever reason."""
    gc.collect()
    return sum(isinstance(each, WaitingConnection) for each in gc.get_objects())


def test_what_is_kept_is_bounded_however_many_wait(full: Simulation) -> None:
    """The oldest of each queue have the places, and no other counts that leaves in the same interval."""
    ports, before = (80, 81, 82, 83), known()
    full.kernel.tcp.open(*(tcp(port, port=port) for port in ports[1:]))
    full.tick()
    for number, port in enumerate(ports):
        full.kernel.connections += [
            waiting(10_000 * number + nth, endpoint("10.0.0.1", port), 1.0) for nth in range(5000)
        ]
        full.kernel.tcp.change(port if number else 1, length=5000)
    full.tick()
    full.kernel.connections = []
    assert known() - before == MAX_FOLLOWED
    for number, port in enumerate(ports):
        full.kernel.tcp.change(port if number else 1, length=0)
    full.tick()
    assert [ended(full, str(port))[0] for port in ports] == [MAX_FOLLOWED / 4] * 4
    assert known() == before


def test_nothing_is_kept_of_listeners_that_are_gone(full: Simulation) -> None:
    before = known()
    for cookie in range(2, 102):
        full.kernel.tcp.open(tcp(cookie, port=8000 + cookie), length=2)
        arrived = endpoint("10.0.0.1", 8000 + cookie)
        full.kernel.connections = [waiting(2 * cookie, arrived, 1.0), waiting(2 * cookie + 1, arrived, 1.0)]
        full.tick(2)
        full.kernel.tcp.close(cookie)
    full.kernel.connections = []
    full.tick(4)
    assert known() == before
    assert full.runner("oldest_wait").idle
