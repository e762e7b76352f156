"""What a source runner does with a source: success, failure, health, cost."""

from __future__ import annotations

import threading

import pytest

from exporter.config import parse
from exporter.kernel.errors import KernelError
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.source import Source
from tests.sampling.fake_clock import FakeClock

INTERVAL = 0.05
FAILED = KernelError("dump failed", "ENOBUFS")


class ScriptedSource(Source[int]):
    """A source whose cost, errors and answers a test sets."""

    def __init__(self, clock: FakeClock, lock: threading.Lock) -> None:
        super().__init__("inet")
        self.cost = 0.0
        self.error: Exception | None = None
        self.apply_error: KernelError | None = None
        self.anything_to_ask = True
        self.applied: list[int] = []
        self._clock = clock
        self._lock = lock

    @property
    def method(self) -> str:
        return "procfs"

    def pending(self, _now: float) -> bool:
        return self.anything_to_ask

    def ask(self, _now: float) -> int:
        assert not self._lock.locked(), "to ask may take long, and pages wait for the lock"
        self._clock.spend(self.cost)
        if self.error is not None:
            raise self.error
        return self.timeline.samples

    def apply(self, answer: int, _now: float) -> None:
        assert self._lock.locked()
        assert self.timeline.samples == answer + 1, "the sample is on the timeline"
        self.applied.append(answer)
        if self.apply_error is not None:
            raise self.apply_error


class KeepsErrors(ScriptedSource):
    """One whose error holds while there is nothing to ask."""

    keeps_error_while_idle = True


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def source(clock: FakeClock) -> ScriptedSource:
    return ScriptedSource(clock, threading.Lock())


@pytest.fixture
def runner(source: ScriptedSource, clock: FakeClock) -> SourceRunner:
    return runner_of(source, clock)


def runner_of(source: ScriptedSource, clock: FakeClock, config: str = "") -> SourceRunner:
    return SourceRunner(source, "host", parse(config, "c.yaml"), source._lock, clock.clock())  # noqa: SLF001


def run_times(runner: SourceRunner, count: int, now: float = 1000.0) -> float:
    """Run at so many due times; return the time of the next."""
    for _ in range(count):
        runner.run(now)
        assert runner.schedule.due is not None
        now = runner.schedule.due
    return now


def test_an_answer_is_applied_under_the_lock(runner: SourceRunner, source: ScriptedSource) -> None:
    run_times(runner, 3)
    assert source.applied == [0, 1, 2]
    assert (runner.stats.samples, runner.stats.missed, runner.error) == (3, 0, None)


def test_due_times_that_passed_are_counted_as_missed(runner: SourceRunner) -> None:
    runner.run(1000.0)
    runner.run(1000.31)
    assert (runner.stats.samples, runner.stats.missed) == (2, 5)


def test_a_failure_is_unhealthy_at_once(runner: SourceRunner, source: ScriptedSource) -> None:
    """And counted by its reason; one good sample makes up for it."""
    now = run_times(runner, 1)
    source.error = FAILED
    now = run_times(runner, 2, now)
    assert not runner.healthy(now)
    assert (runner.stats.samples, runner.stats.errors) == (1, {"ENOBUFS": 2})
    assert runner.error is FAILED
    assert source.applied == [0]
    source.error = None
    now = run_times(runner, 1, now)
    assert runner.healthy(now)
    assert (runner.stats.samples, runner.stats.errors) == (2, {"ENOBUFS": 2})


def test_an_answer_that_tells_too_little_is_used_and_no_success(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.apply_error = FAILED
    now = run_times(runner, 1)
    assert source.applied == [0]
    assert not runner.healthy(now)
    assert (runner.stats.samples, runner.stats.errors) == (0, {"ENOBUFS": 1})


def test_an_unexpected_error_is_not_swallowed(runner: SourceRunner, source: ScriptedSource) -> None:
    source.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        runner.run(1000.0)


def test_it_is_not_healthy_before_its_first_sample(runner: SourceRunner) -> None:
    assert not runner.healthy(1000.0)


@pytest.mark.parametrize(("interval", "limit"), [("50ms", 5.0), ("1s", 5.0), ("2s", 6.0), ("60s", 180.0)])
def test_it_is_healthy_for_five_seconds_or_three_intervals(
    source: ScriptedSource, clock: FakeClock, interval: str, limit: float
) -> None:
    runner = runner_of(source, clock, f"sampling: {{interval: {interval}}}")
    runner.run(1000.0)
    assert runner.healthy(1000.0)
    assert runner.healthy(1000.0 + limit)
    assert not runner.healthy(1000.1 + limit)


def test_the_interval_in_force_decides_what_is_stale(runner: SourceRunner, source: ScriptedSource) -> None:
    """A source that the budget slowed down to one sample in ten seconds is not failing."""
    source.cost = 0.1
    now = run_times(runner, 2)
    runner.limit_to(0.01)
    runner.run(now)
    assert runner.healthy(now + 29.9)
    assert not runner.healthy(now + 30.1)


def test_with_nothing_to_ask_it_costs_nothing_and_is_healthy(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.anything_to_ask = False
    run_times(runner, 100)
    assert (runner.stats.samples, runner.stats.missed, runner.requested_share()) == (0, 0, 0.0)
    assert runner.healthy(1e9)
    source.anything_to_ask = True
    runner.run(2000.0)
    assert runner.stats.samples == 1
    assert not runner.healthy(2006.0)


def test_an_idle_source_leaves_its_share_to_others(runner: SourceRunner, source: ScriptedSource) -> None:
    source.cost = 0.01
    now = run_times(runner, 3)
    assert runner.requested_share() == pytest.approx(0.2)
    source.anything_to_ask = False
    runner.run(now)
    assert runner.requested_share() == 0.0
    runner.limit_to(0.0)
    assert runner.schedule.interval_in_force == INTERVAL


def test_an_error_is_void_as_soon_as_there_is_nothing_to_ask(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.error = FAILED
    now = run_times(runner, 1)
    source.anything_to_ask = False
    run_times(runner, 1, now)
    assert runner.error is None


def test_an_error_may_hold_while_there_is_nothing_to_ask(clock: FakeClock) -> None:
    source = KeepsErrors(clock, threading.Lock())
    runner = runner_of(source, clock)
    source.error = FAILED
    now = run_times(runner, 1)
    source.anything_to_ask = False
    now = run_times(runner, 1, now)
    assert runner.error is FAILED
    assert not runner.healthy(now)


def test_timestamp_is_that_of_the_newest_success(
    runner: SourceRunner, source: ScriptedSource, clock: FakeClock
) -> None:
    assert runner.timestamp == 0.0
    runner.run(1000.0)
    success = runner.timestamp
    assert success == clock.wall()
    source.error = FAILED
    clock.now += 10.0
    runner.run(1010.0)
    assert runner.timestamp == success


def test_duration_is_that_of_the_newest_sample_even_if_it_failed(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.cost = 0.25
    now = run_times(runner, 1)
    assert runner.duration_seconds == pytest.approx(0.25)
    source.cost, source.error = 0.5, FAILED
    run_times(runner, 1, now)
    assert runner.duration_seconds == pytest.approx(0.5)


def test_a_source_that_fails_every_time_costs_as_much(runner: SourceRunner, source: ScriptedSource) -> None:
    source.cost, source.error = 0.002, FAILED
    run_times(runner, 3)
    assert runner.requested_share() == pytest.approx(0.04)


def test_it_follows_the_slots_of_its_namespace(runner: SourceRunner, source: ScriptedSource) -> None:
    runner.follow_slots(0.5)
    assert runner.schedule.interval_in_force == 0.5
    runner.follow_slots(0.01)
    assert runner.schedule.interval_in_force == INTERVAL
    assert source.slots_per_sample == 1


def test_another_interval_is_taken_from_the_configuration(runner: SourceRunner) -> None:
    runner.run(1000.0)
    runner.configure(parse("sampling: {interval: 200ms}", "c.yaml"))
    assert runner.schedule.interval == 0.2
    assert runner.schedule.is_due(1000.0)


def test_the_same_interval_disturbs_no_schedule(runner: SourceRunner) -> None:
    runner.run(1000.0)
    runner.configure(parse("max_listeners: 5", "c.yaml"))
    assert not runner.schedule.is_due(1000.0)
