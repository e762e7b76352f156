"""What a source runner does with a source: success, failure, health, cost."""

from __future__ import annotations

import threading

import pytest

from exporter.config import parse
from exporter.kernel.errors import KernelError, UnavailableError
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.source import Source
from tests.sampling.fake_clock import FakeClock

INTERVAL = 0.05
FAILED = KernelError("dump failed", "ENOBUFS")


class ScriptedSource(Source[int]):
    """A source whose cost, errors and answers a test sets."""

    asks_for = "whatever a test sets"

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


class OnceASecond(ScriptedSource):
    """One that is never asked more often than once a second."""

    min_interval_seconds = 1.0


class SeldomWhileQuiet(ScriptedSource):
    """One that is asked every three seconds while all queues of its namespace are empty."""

    quiet_interval_seconds = 3.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def source(clock: FakeClock) -> ScriptedSource:
    return ScriptedSource(clock, threading.Lock())


@pytest.fixture
def runner(source: ScriptedSource, clock: FakeClock) -> SourceRunner:
    return runner_of(source, clock)


def runner_of(source: ScriptedSource, clock: FakeClock, config: str = "{}") -> SourceRunner:
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


@pytest.mark.parametrize("interval", ["50ms", "1s", "2s", "4s"])
def test_it_is_healthy_for_five_seconds_whatever_the_interval_is(
    source: ScriptedSource, clock: FakeClock, interval: str
) -> None:
    runner = runner_of(source, clock, f"sampling: {{interval: {interval}}}")
    runner.run(1000.0)
    assert runner.healthy(1000.0)
    assert runner.healthy(1005.0)
    assert not runner.healthy(1005.1)


def test_however_slow_the_budget_makes_it_it_is_healthy_from_sample_to_sample(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    """And for five seconds all the same."""
    source.cost = 100.0
    now = run_times(runner, 2)
    runner.limit_to(0.01, now)
    assert runner.schedule.interval_in_force == pytest.approx(4.0)
    for _ in range(5):
        runner.run(now)
        assert runner.schedule.due == pytest.approx(now + 4.0)
        now += 4.0
        assert runner.healthy(now + 0.9)
    assert runner.healthy(now + 1.0)
    assert not runner.healthy(now + 1.1)


def test_with_nothing_to_ask_it_costs_nothing_and_is_healthy(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.anything_to_ask = False
    now = run_times(runner, 100)
    assert (runner.stats.samples, runner.stats.missed, runner.requested_share()) == (0, 0, 0.0)
    assert runner.healthy(now)
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
    runner.limit_to(0.0, now)
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


def test_what_another_limit_accounts_for_is_no_cost_of_its_schedule(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    """But it is counted as processor time of the source."""
    source.cost = 0.002
    now = run_times(runner, 2)

    def walk(_now: float) -> bool:
        source._clock.spend(0.5)  # noqa: SLF001
        source.limited_seconds += 0.5
        return True

    source.pending = walk  # type: ignore[method-assign]
    run_times(runner, 2, now)
    assert runner.schedule.cost == pytest.approx(0.002)
    assert runner.stats.cpu_seconds == pytest.approx(4 * 0.002 + 2 * 0.5)


def test_the_least_share_is_that_of_the_longest_interval(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.cost = 0.02
    now = run_times(runner, 2)
    assert runner.least_share() == pytest.approx(0.005)
    assert runner.share_in_force() == runner.requested_share() == pytest.approx(0.4)
    runner.limit_to(0.0, now)
    assert runner.share_in_force() == pytest.approx(0.005)
    source.anything_to_ask = False
    run_times(runner, 1, now)
    assert (runner.least_share(), runner.share_in_force()) == (0.0, 0.0)


def test_no_more_is_requested_than_the_namespace_lets_it_use(clock: FakeClock) -> None:
    source = SeldomWhileQuiet(clock, threading.Lock())
    runner = runner_of(source, clock)
    source.cost = 0.03
    run_times(runner, 2)
    assert runner.requested_share() == pytest.approx(0.6)
    runner.follow_slots(INTERVAL, 1000.0, quiet=True)
    assert runner.requested_share() == pytest.approx(0.01)


def test_it_runs_in_the_slot_that_is_nearer_to_its_due_time(runner: SourceRunner) -> None:
    runner.follow_slots(1.0, 1000.0, quiet=False)
    runner.run(1000.0)
    assert [runner.due_in_slot(now, 1.0) for now in (1000.4, 1000.6)] == [False, True]


def test_it_does_not_wait_for_a_slot_that_comes_too_late(clock: FakeClock) -> None:
    """Slots were close together, and are four seconds apart from the one on that comes now."""
    source = SeldomWhileQuiet(clock, threading.Lock())
    source.quiet_interval_seconds = 4.0  # type: ignore[misc]
    runner = runner_of(source, clock)
    runner.follow_slots(0.5, 1000.0, quiet=True)
    runner.run(1000.0)
    runner.follow_slots(4.0, 1001.2, quiet=True)
    assert [runner.due_in_slot(1001.5, seconds) for seconds in (0.5, 2.5, 4.0)] == [False, False, True]


def test_it_follows_the_slots_of_its_namespace(runner: SourceRunner) -> None:
    for quiet in (False, True):
        runner.follow_slots(0.5, 1000.0, quiet=quiet)
        assert runner.schedule.interval_in_force == 0.5
        runner.follow_slots(0.01, 1000.0, quiet=quiet)
        assert runner.schedule.interval_in_force == INTERVAL


def test_in_a_quiet_namespace_it_may_be_asked_more_seldom(clock: FakeClock) -> None:
    runner = runner_of(SeldomWhileQuiet(clock, threading.Lock()), clock)
    runner.follow_slots(INTERVAL, 1000.0, quiet=True)
    assert runner.schedule.interval_in_force == 3.0
    runner.run(1000.0)
    assert runner.schedule.due == 1003.0
    # Seven slots, without a rounding error.
    runner.follow_slots(0.4, 1000.0, quiet=True)
    assert runner.schedule.interval_in_force == 2.8
    runner.follow_slots(3.5, 1001.0, quiet=True)
    assert runner.schedule.interval_in_force == 3.5
    # A queue begins to fill: the next is due by the time of the last, and not when it would have been.
    runner.follow_slots(INTERVAL, 1002.0, quiet=False)
    assert runner.schedule.interval_in_force == INTERVAL
    assert runner.schedule.due == 1002.0


def test_another_interval_is_taken_from_the_configuration(runner: SourceRunner) -> None:
    runner.run(1000.0)
    runner.configure(parse("sampling: {interval: 200ms}", "c.yaml"))
    assert runner.schedule.interval == 0.2
    assert runner.schedule.is_due(1000.0)


def test_the_same_interval_disturbs_no_schedule(runner: SourceRunner) -> None:
    runner.run(1000.0)
    runner.configure(parse("max_listeners: 5", "c.yaml"))
    assert not runner.schedule.is_due(1000.0)


def test_it_is_asked_in_every_slot_unless_it_has_an_interval_of_its_own(
    runner: SourceRunner, clock: FakeClock
) -> None:
    assert runner.every_slot
    assert not runner_of(OnceASecond(clock, threading.Lock()), clock).every_slot
    assert not runner_of(SeldomWhileQuiet(clock, threading.Lock()), clock).every_slot


def test_with_nothing_to_ask_it_is_healthy_for_five_seconds_after_the_last_look(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    """A thread that hangs publishes nothing old, and nothing that was empty then either."""
    source.anything_to_ask = False
    assert not runner.healthy(1000.0)
    now = run_times(runner, 10)
    looked_at = now - INTERVAL
    assert runner.healthy(looked_at + 4.99)
    assert not runner.healthy(looked_at + 5.1)


def test_an_old_sample_counts_for_nothing_while_there_is_nothing_to_ask(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    runner.run(1000.0)
    source.anything_to_ask = False
    runner.run(1010.0)
    assert runner.healthy(1010.0)
    source.anything_to_ask, source.error = True, FAILED
    runner.run(1011.0)
    assert not runner.healthy(1011.0)


def test_a_sample_tells_the_processor_time_after_it(
    runner: SourceRunner, source: ScriptedSource, clock: FakeClock
) -> None:
    """So that of many sources in a row each reads the clock once. The due time is the caller's."""
    clock.spend(1.0)
    source.cost = 0.25
    used = runner.sample(1000.0, 1.0)
    assert used == pytest.approx(1.25)
    source.cost = 0.5
    assert runner.sample(1000.5, used) == pytest.approx(1.75)
    assert runner.stats.cpu_seconds == pytest.approx(0.75)
    assert (runner.stats.samples, runner.schedule.due) == (2, None)


def test_processor_time_adds_up_also_where_a_sample_fails_and_where_there_is_nothing_to_ask(
    runner: SourceRunner, source: ScriptedSource, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.cost = 0.25
    now = run_times(runner, 1)
    source.error = FAILED
    now = run_times(runner, 1, now)
    assert runner.stats.cpu_seconds == pytest.approx(0.5)

    def look(_now: float) -> bool:
        clock.spend(0.125)
        return False

    monkeypatch.setattr(source, "pending", look)
    cost = runner.schedule.cost
    run_times(runner, 2, now)
    assert runner.stats.cpu_seconds == pytest.approx(0.75)
    assert runner.schedule.cost == cost, "to look is no sample"


def test_the_first_sample_is_no_measure_and_later_ones_are(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.cost = 0.25
    now = run_times(runner, 1)
    assert runner.schedule.cost == 0.0
    source.cost = 0.5
    run_times(runner, 1, now)
    assert runner.schedule.cost == pytest.approx(0.5)


def test_due_times_that_the_caller_let_pass_are_counted(runner: SourceRunner) -> None:
    runner.count_missed(0)
    runner.count_missed(3)
    assert runner.stats.missed == 3


def test_an_error_that_comes_changes_or_goes_is_told_once(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    """Another text for the same reason is no change."""
    told = []
    errors = [
        None,
        FAILED,
        FAILED,
        KernelError("another text", "ENOBUFS"),
        KernelError("no", "EPERM"),
        None,
        None,
    ]
    now = 1000.0
    for error in errors:
        source.error = error
        now = run_times(runner, 1, now)
        told.append(runner.error_changed())
    assert told == [False, True, False, False, True, True, False]


def test_an_error_of_another_kind_with_the_same_reason_is_told(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.error = KernelError("no", "EPERM")
    now = run_times(runner, 1)
    assert runner.error_changed()
    source.error = UnavailableError("no", "EPERM")
    run_times(runner, 1, now)
    assert runner.error_changed()


def test_an_error_that_came_and_went_between_two_calls_is_not_told(
    runner: SourceRunner, source: ScriptedSource
) -> None:
    source.error = FAILED
    now = run_times(runner, 1)
    source.error = None
    run_times(runner, 1, now)
    assert not runner.error_changed()
