"""While no TCP segment comes in, empty queues are known to be empty without a read."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from tests.listeners.sockets import tcp
from tests.sampling.simulation import TICK_SECONDS, Simulation


@pytest.fixture
def quiet(simulation: Simulation) -> Simulation:
    """A host whose listeners cost something to read, and no segment coming in."""
    simulation.configure("sampling: {cpu_budget: 100%}")
    simulation.kernel.tcp.cost = 0.002
    simulation.kernel.segments = 5
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick(2)
    return simulation


def asked_while(simulation: Simulation, seconds: float) -> int:
    before = simulation.kernel.tcp.asked
    simulation.run_for(seconds)
    return simulation.kernel.tcp.asked - before


def test_the_kernel_is_asked_once_a_second(quiet: Simulation) -> None:
    assert asked_while(quiet, 10.0) == pytest.approx(10, abs=1)


def test_a_cheap_read_is_never_left_out(quiet: Simulation) -> None:
    """To read the number of segments would cost as much."""
    quiet.kernel.tcp.cost = 0.0005
    quiet.run_for(1.0 + TICK_SECONDS)
    assert asked_while(quiet, 1.0) == 20


def test_each_due_time_is_a_sample_all_the_same(quiet: Simulation) -> None:
    samples = quiet.runner("inet").stats.samples
    quiet.run_for(5.0)
    assert quiet.runner("inet").stats.samples == samples + 100
    counts, _ = quiet.listener("0.0.0.0").accept.histogram() or ([], 0.0)
    assert counts[-1] == quiet.runner("inet").stats.samples
    assert quiet.runner("inet").healthy(quiet.clock.now)


def test_after_a_segment_it_is_read_at_the_next_due_time(quiet: Simulation) -> None:
    quiet.kernel.segments = 6
    quiet.kernel.tcp.change(1, length=1)
    quiet.tick()
    assert quiet.listener("0.0.0.0").group.length == 1


def test_a_queue_that_is_not_empty_is_read_every_time(quiet: Simulation) -> None:
    """To accept takes no segment."""
    quiet.kernel.segments = 6
    quiet.kernel.tcp.change(1, length=1)
    quiet.tick()
    assert asked_while(quiet, 1.0) == 20
    quiet.kernel.tcp.change(1, length=0)
    quiet.tick()
    assert quiet.listener("0.0.0.0").group.length == 0


def test_a_listener_that_opens_or_closes_is_noticed_within_a_second(quiet: Simulation) -> None:
    quiet.kernel.tcp.open(tcp(2, "::1", 443))
    quiet.run_for(1.0 + TICK_SECONDS)
    assert quiet.listener("::1", "443").group.members
    quiet.kernel.tcp.close(2)
    quiet.run_for(1.0 + TICK_SECONDS)
    assert not quiet.listener("::1", "443").group.members


def test_after_a_failure_it_is_read_every_time(quiet: Simulation) -> None:
    quiet.kernel.tcp.error = KernelError("dump failed", "ENOBUFS")
    quiet.run_for(1.0 + TICK_SECONDS)
    failed = quiet.runner("inet").healthy(quiet.clock.now)
    assert (failed, asked_while(quiet, 1.0)) == (False, 20)


def test_another_configuration_has_it_read_at_once(quiet: Simulation) -> None:
    before = quiet.kernel.tcp.asked
    quiet.configure("sampling: {method: procfs}")
    quiet.tick()
    assert quiet.kernel.tcp.asked == before + 1
