"""The sampling loop as a whole: which source runs when, what it may cost, and how it ends."""

from __future__ import annotations

import logging
import threading

import pytest

from exporter.kernel.errors import KernelError
from tests.listeners.sockets import tcp, unix
from tests.sampling.fake_access import FakeAccess
from tests.sampling.simulation import TICK_SECONDS, Simulation

DEADLINE_SECONDS = 10.0
FAILED = KernelError("dump failed", "ENOBUFS")


def asked(simulation: Simulation) -> list[int]:
    kernel = simulation.kernel
    requests = (kernel.tcp, kernel.unix, kernel.syn_recv_dump, kernel.netstat)
    return [request.asked for request in requests]


def test_first_sample_asks_everything(simulation: Simulation) -> None:
    simulation.sampler.sample()
    assert asked(simulation) == [1, 1, 1, 1]


def test_each_source_has_its_own_interval(simulation: Simulation) -> None:
    simulation.run_for(10.0)
    assert asked(simulation) == [pytest.approx(count, abs=1) for count in (200, 200, 40, 10)]
    assert {runner.stats.missed for runner in simulation.sampler.runners} == {0}


def test_sample_returns_when_the_next_is_due(simulation: Simulation) -> None:
    assert simulation.sampler.sample() == simulation.clock.now + TICK_SECONDS
    assert simulation.sampler.sample() == simulation.clock.now + TICK_SECONDS, "nothing was due"
    assert asked(simulation) == [1, 1, 1, 1]


def test_costly_source_slows_itself_and_not_its_neighbours(simulation: Simulation) -> None:
    """5 ms in each interval of 50 is a tenth of a core, and the budget leaves room for every sixth."""
    simulation.kernel.unix.cost = 0.005
    simulation.kernel.tcp.cost = 0.0001
    simulation.run_for(5.0)
    inet, unix_source = simulation.runner("inet"), simulation.runner("unix")
    assert inet.schedule.interval_in_force == TICK_SECONDS
    assert unix_source.schedule.interval_in_force == pytest.approx(6 * TICK_SECONDS)
    before = simulation.clock.spent
    simulation.run_for(60.0)
    assert simulation.clock.spent - before <= 60.0 * 0.02 * 1.05


def test_source_that_became_cheap_gets_its_interval_back(simulation: Simulation) -> None:
    simulation.kernel.tcp.cost = 0.005
    simulation.run_for(5.0)
    assert simulation.runner("inet").schedule.interval_in_force > TICK_SECONDS
    simulation.kernel.tcp.cost = 0.0001
    simulation.run_for(30.0)
    assert simulation.runner("inet").schedule.interval_in_force == TICK_SECONDS


def test_slower_budget_of_a_new_configuration_is_kept(simulation: Simulation) -> None:
    simulation.kernel.tcp.cost = 0.001
    simulation.run_for(5.0)
    assert simulation.runner("inet").schedule.interval_in_force == TICK_SECONDS
    simulation.configure("sampling: {cpu_budget: 1%}")
    simulation.run_for(5.0)
    assert simulation.runner("inet").schedule.interval_in_force == pytest.approx(0.1)


def test_suspended_host_is_sampled_once(simulation: Simulation) -> None:
    """An hour of due times is counted as missed, and not made up for."""
    simulation.tick(10)
    before = asked(simulation)
    simulation.clock.now += 3600.0
    simulation.sampler.sample()
    simulation.sampler.sample()
    assert asked(simulation) == [count + 1 for count in before]
    assert simulation.runner("inet").stats.missed == pytest.approx(3600.0 / TICK_SECONDS, abs=1)


def test_failure_of_a_source_leaves_the_others(simulation: Simulation) -> None:
    simulation.kernel.tcp.error = FAILED
    simulation.kernel.unix.open(unix(1))
    simulation.tick(10)
    healthy = {runner.name for runner in simulation.sampler.runners if runner.healthy(simulation.clock.now)}
    assert healthy == {"unix", "syn_recv", "netstat", "oldest_wait", "owners"}
    assert simulation.published() == [("/run/app.sock", "")]
    assert simulation.sampler.failure is None


def test_failure_is_logged_once_and_so_is_its_end(
    simulation: Simulation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    simulation.tick(3)
    simulation.kernel.tcp.error = FAILED
    simulation.tick(10)
    simulation.kernel.tcp.error = None
    simulation.tick(10)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "source failed: dump failed: ENOBUFS"),
        ("INFO", "source works again"),
    ]
    assert {record.__dict__["fields"]["source"] for record in caplog.records} == {"inet"}


def test_listeners_of_several_namespaces_are_kept_apart() -> None:
    others = FakeAccess()
    others.add(1, name="blue")
    simulation = Simulation(others=others)
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    others.kernels["blue"].tcp.change(1, length=5)
    simulation.tick()
    states = simulation.sampler.published(simulation.clock.now)
    assert {each.group.key.netns: each.group.length for each in states} == {"host": 0, "blue": 5}


def test_other_namespaces_together_get_the_part_of_one_source() -> None:
    """However many they are, the exporter's own namespace is sampled as before."""
    others = FakeAccess()
    others.add(*range(10))
    others.costs = {str(inode): 0.005 for inode in range(10)}
    simulation = Simulation(others=others)
    simulation.kernel.tcp.cost = 0.0001
    simulation.run_for(5.0)
    slots = simulation.sampler.namespace_scheduler.slots
    assert simulation.runner("inet").schedule.interval_in_force == TICK_SECONDS
    # Nine tenths of the budget at most are left to ten that each request a tenth of a core.
    assert all(slot.schedule.interval_in_force >= 50 * TICK_SECONDS for slot in slots)


def test_thread_samples_until_it_is_stopped(simulation: Simulation) -> None:
    """It is ready when every source has run once."""
    sampler = simulation.sampler
    assert not sampler.ready()
    again = threading.Event()
    simulation.kernel.tcp.on_answer = lambda: again.set() if simulation.kernel.tcp.asked > 1 else None
    simulation.clock.step = TICK_SECONDS
    failures: list[str] = []
    sampler.start(lambda: failures.append("failed"))
    assert again.wait(DEADLINE_SECONDS)
    assert sampler.ready()
    sampler.stop(DEADLINE_SECONDS)
    assert (failures, sampler.failure) == ([], None)
    assert "sampler" not in {thread.name for thread in threading.enumerate()}


def test_unexpected_error_ends_the_loop_and_is_logged(
    simulation: Simulation, caplog: pytest.LogCaptureFixture
) -> None:
    """No exporter, which an alert notices, is better than one whose figures never change."""
    simulation.kernel.syn_recv_dump.error = RuntimeError("a bug")
    failed = threading.Event()
    simulation.sampler.start(failed.set)
    assert failed.wait(DEADLINE_SECONDS)
    simulation.sampler.stop(DEADLINE_SECONDS)
    assert simulation.sampler.failure is simulation.kernel.syn_recv_dump.error
    assert not simulation.sampler.ready()
    assert [record.getMessage() for record in caplog.records] == ["sampling failed and cannot go on"]


def test_sampler_that_was_never_started_can_be_stopped(simulation: Simulation) -> None:
    simulation.sampler.stop(DEADLINE_SECONDS)


def test_ready_takes_an_answer(simulation: Simulation) -> None:
    """A host of which nothing can be read is never ready."""
    requests = (
        simulation.kernel.tcp,
        simulation.kernel.unix,
        simulation.kernel.syn_recv_dump,
        simulation.kernel.netstat,
    )
    for request in requests:
        request.error = FAILED
    asked_once = threading.Event()
    simulation.kernel.netstat.on_answer = asked_once.set
    simulation.sampler.start(lambda: None)
    assert asked_once.wait(DEADLINE_SECONDS)
    assert not simulation.sampler.ready()
    simulation.sampler.stop(DEADLINE_SECONDS)


def test_sources_that_are_due_within_a_millisecond_run_in_one_tick(simulation: Simulation) -> None:
    simulation.sampler.sample()
    due = simulation.runner("inet").schedule.due
    assert due is not None
    simulation.runner("unix").schedule.postpone(due + 0.0009)
    simulation.clock.now = due
    simulation.sampler.sample()
    assert asked(simulation)[:2] == [2, 2]


def test_late_seconds_grow_while_no_tick_comes(simulation: Simulation) -> None:
    """The watchdog of the service manager hears of it."""
    assert simulation.sampler.late_seconds() == 0.0
    simulation.clock.now += 7.0
    assert simulation.sampler.late_seconds() == pytest.approx(7.0)
