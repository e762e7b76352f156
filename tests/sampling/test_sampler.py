"""The sampling loop as a whole: which source runs when, what it may cost, and how it ends."""

from __future__ import annotations

import logging
import threading

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.netns.access import NamespaceAccess
from exporter.sampling.cpu_budget import CpuUse
from testbed.waiting import until
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
    """5 ms in each interval of 50 is a tenth of a core, and the budget suffices for every sixth."""
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


def test_costly_namespaces_slow_a_cheap_one_down_to_its_equal_part_at_most() -> None:
    """The exporter's own namespace is one of them while its queues are empty."""
    others = FakeAccess()
    others.add(*range(10))
    others.costs = {str(inode): 0.005 for inode in range(10)}
    simulation = Simulation(others=others)
    simulation.kernel.tcp.cost = 0.0001
    simulation.run_for(5.0)
    slots = simulation.sampler.namespace_scheduler.slots
    # A twelfth of the budget is for the source, which requests a tenth of it.
    assert simulation.runner("inet").schedule.interval_in_force == pytest.approx(2 * TICK_SECONDS)
    # Nine tenths of the budget at most are left to ten that each request a tenth of a core.
    assert all(slot.schedule.interval_in_force >= 50 * TICK_SECONDS for slot in slots)


def beside_a_hundred_namespaces() -> Simulation:
    """A sampler whose budget does not allow the full rate for all of them."""
    others = FakeAccess()
    others.keep = True
    others.add(*range(100))
    others.costs = {str(inode): 0.0001 for inode in range(100)}
    simulation = Simulation(others=others, own_sockets={tcp(1).inode})
    simulation.kernel.tcp.cost = 0.0001
    return simulation


def test_a_connection_to_the_exporter_before_its_socket_was_searched_for_makes_it_no_busy_one() -> None:
    """As by what asks from the start on whether it is ready."""
    simulation = beside_a_hundred_namespaces()
    simulation.kernel.tcp.open(tcp(1), length=1)
    simulation.run_loop_for(0.1)
    simulation.kernel.tcp.change(1, length=0)
    simulation.run_loop_for(10.0)
    assert simulation.runner("inet").schedule.interval_in_force > 0.5


def test_the_own_namespace_is_sampled_as_often_as_others_until_a_connection_waits() -> None:
    """From that very sample on it is at the full rate, and so for a minute after the last one."""
    simulation = beside_a_hundred_namespaces()
    simulation.kernel.tcp.open(tcp(2))
    simulation.run_loop_for(10.0)
    slots = simulation.sampler.namespace_scheduler.slots
    usual = slots[0].schedule.interval_in_force
    inet, counters = simulation.runner("inet").schedule, simulation.runner("netstat").schedule
    assert usual > 0.5
    assert inet.interval_in_force == usual
    assert counters.interval_in_force > 1.0
    simulation.kernel.tcp.change(2, length=1)
    asked = simulation.kernel.tcp.asked
    simulation.run_loop_for(usual + TICK_SECONDS)
    assert simulation.kernel.tcp.asked > asked
    assert inet.interval_in_force == TICK_SECONDS
    simulation.kernel.tcp.change(2, length=0)
    asked = simulation.kernel.tcp.asked
    simulation.run_loop_for(50.0)
    assert simulation.kernel.tcp.asked - asked >= 990
    assert counters.interval_in_force == 1.0
    simulation.run_loop_for(15.0)
    assert inet.interval_in_force == slots[0].schedule.interval_in_force > 0.5


@pytest.mark.parametrize(("shared", "busy"), [(False, False), (True, True)])
def test_a_connection_to_the_exporter_alone_makes_the_own_namespace_no_busy_one(
    *, shared: bool, busy: bool
) -> None:
    """Each scrape may be seen in its queue. With SO_REUSEPORT another process may have a part of that."""
    simulation = beside_a_hundred_namespaces()
    simulation.kernel.tcp.open(tcp(1))
    if shared:
        simulation.kernel.tcp.open(tcp(2))
    simulation.run_loop_for(10.0)
    inet = simulation.runner("inet").schedule
    usual = inet.interval_in_force
    assert usual > 0.5
    simulation.kernel.tcp.change(1, length=1)
    simulation.run_loop_for(usual + TICK_SECONDS)
    assert (inet.interval_in_force == TICK_SECONDS) is busy


def test_a_listener_whose_owner_was_not_looked_for_yet_counts_as_well() -> None:
    """On a host with thousands of processes that takes seconds."""
    simulation = beside_a_hundred_namespaces()
    simulation.run_loop_for(10.0)
    simulation.walk_cost = 0.01
    for pid in range(1000, 1060):
        simulation.host.run(pid, b"idle")
    inet = simulation.runner("inet").schedule
    usual = inet.interval_in_force
    simulation.kernel.tcp.open(tcp(2), length=10)
    simulation.run_loop_for(usual + TICK_SECONDS)
    assert usual > 0.5
    assert inet.interval_in_force == TICK_SECONDS


def with_namespace(*, keep: bool = True) -> tuple[Simulation, FakeAccess]:
    """A sampler with one other namespace, sampled once."""
    others = FakeAccess()
    others.keep = keep
    others.add(1)
    simulation = Simulation(others=others)
    simulation.tick()
    return simulation, others


def test_a_namespace_whose_process_ended_is_not_asked_in_that_tick() -> None:
    """To ask would say that sockets are gone which another process may still have."""
    simulation, others = with_namespace()
    others.end("1")
    asked_before = others.kernels["1"].tcp.asked
    simulation.tick()
    assert others.kernels["1"].tcp.asked == asked_before
    simulation.run_for(0.5)
    assert others.kernels["1"].tcp.asked > asked_before
    assert simulation.runner("inet", "1").stats.errors == {}


def test_the_end_of_a_namespace_wakes_the_thread() -> None:
    """It does not wait for the next tick."""
    simulation, others = with_namespace()
    for runner in simulation.sampler.runners:
        runner.schedule.postpone(simulation.clock.now + 10 * DEADLINE_SECONDS)
    simulation.sampler.start(lambda: None)
    others.end("1")
    until(lambda: others.remotes["1"].attached, lambda attached: not attached)
    simulation.sampler.stop(DEADLINE_SECONDS)
    assert simulation.sampler.failure is None


def test_all_namespaces_are_sampled_once_each_was_or_could_not_be() -> None:
    """The first page waits for it."""
    others = FakeAccess()
    simulation = Simulation(others=others)
    assert simulation.sampler.all_namespaces_sampled(), "none was found"
    others.add(*range(NamespaceAccess.max_at_once + 1))
    others.errors["3"] = FAILED
    simulation.tick()
    assert not simulation.sampler.all_namespaces_sampled()
    simulation.tick()
    assert simulation.sampler.all_namespaces_sampled()


def test_at_the_start_owners_are_looked_for_when_the_listeners_of_all_namespaces_are_known() -> None:
    """Once, and to the end: what a search costs does not depend on how many listeners it is for."""
    others = FakeAccess()
    simulation = Simulation(others=others)
    others.add(*range(NamespaceAccess.max_at_once + 1))
    simulation.tick()
    owners = simulation.runner("owners").stats
    assert owners.samples == 0
    simulation.tick()
    assert owners.samples == 1
    assert simulation.sampler.all_owners_searched()
    others.add(*range(100, 101 + NamespaceAccess.max_at_once))
    simulation.run_for(2.0)
    assert owners.samples > 1


def test_where_more_are_due_than_are_sampled_at_once_the_next_tick_is_due_at_once() -> None:
    """The sources of the exporter's own namespace come in between."""
    others = FakeAccess()
    others.add(*range(NamespaceAccess.max_at_once + 1))
    simulation = Simulation(others=others)
    assert simulation.sampler.sample() == simulation.clock.now
    assert simulation.sampler.sample() == simulation.clock.now + TICK_SECONDS


def test_what_other_threads_use_is_taken_off_the_budget(simulation: Simulation) -> None:
    """So that pages are paid for as well."""
    simulation.kernel.tcp.cost = 0.0009
    simulation.run_for(10.0)
    assert simulation.runner("inet").schedule.interval_in_force == TICK_SECONDS
    for _ in range(20):
        simulation.run_for(1.0)
        simulation.clock.spend(0.01)
    assert simulation.runner("inet").schedule.interval_in_force == pytest.approx(2 * TICK_SECONDS)
    simulation.run_for(15.0)
    assert simulation.runner("inet").schedule.interval_in_force == TICK_SECONDS


def test_sampling_is_no_use_by_others() -> None:
    """Otherwise it would slow itself down twice; this includes namespaces, present and past."""
    others = FakeAccess()
    others.keep = True
    others.add(1, 2)
    others.costs = {"1": 0.0002, "2": 0.0002}
    simulation = Simulation(others=others)
    simulation.kernel.tcp.cost = 0.0004
    simulation.run_for(10.0)
    del others.refs[1]
    simulation.run_for(10.0)
    samples = (
        sum(runner.stats.cpu_seconds for runner in simulation.sampler.runners if runner.netns == "host")
        + simulation.sampler.namespace_scheduler.cpu_seconds()
    )
    use = CpuUse(samples, simulation.clock.spent)
    left = simulation.sampler.cpu_budget.share_for_samples(0.02, use, simulation.clock.now)
    assert left == pytest.approx(0.02)


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
