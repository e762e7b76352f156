"""What all processes use of the processor, what that leaves for sampling, and when it is too much."""

from __future__ import annotations

import pytest

from exporter.sampling.cpu_budget import START_SECONDS, WINDOW_SECONDS, CpuBudget, CpuUse

BUDGET = 0.02


class Processes:
    """Two processes that use the processor at the rates that a test sets.

    Samples, what the sampling thread uses beside them, and pages are of the exporter.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.samples = 0.0
        self.overhead = 0.0
        self.pages = 0.0
        self.broker = 0.0
        self.budget = CpuBudget({"exporter": self.exporter, "broker": lambda: self.broker})

    def exporter(self) -> float:
        """The processor time of the exporter."""
        return self.samples + self.overhead + self.pages

    def run(
        self,
        seconds: float,
        *,
        samples: float = 0.0,
        overhead: float = 0.0,
        pages: float = 0.0,
        broker: float = 0.0,
        step: float = 1.0,
    ) -> float:
        """Go on for so long at these shares of a core; return what the end leaves for samples."""
        share = -1.0
        for _ in range(round(seconds / step)):
            self.now += step
            self.samples += samples * step
            self.overhead += overhead * step
            self.pages += pages * step
            self.broker += broker * step
            share = self.share()
        return share

    def share(self, budget: float = BUDGET) -> float:
        """What is left for samples now."""
        use = CpuUse(self.samples, self.samples + self.overhead + self.broker)
        return self.budget.share_for_samples(budget, use, self.now)

    def window(self) -> tuple[float, float]:
        """What was used in the last half minute, and what the budget was."""
        assert self.budget.window is not None
        return self.budget.window.used, self.budget.window.budget


@pytest.fixture
def processes() -> Processes:
    """Processes that have used nothing yet, with their use read once."""
    processes = Processes()
    processes.share()
    return processes


def test_processor_time_is_that_of_each_process() -> None:
    processes = Processes()
    processes.pages, processes.broker = 2.0, 0.5
    assert processes.budget.seconds() == {"exporter": 2.0, "broker": 0.5}


def test_the_first_time_all_of_the_budget_is_left() -> None:
    """Whatever was used before: to start takes longer than to sample."""
    processes = Processes()
    processes.overhead = 3.0
    assert processes.share() == BUDGET


def test_samples_take_nothing_from_themselves(processes: Processes) -> None:
    assert processes.run(60.0, samples=0.02) == pytest.approx(BUDGET)


def test_what_sampling_takes_beside_samples_is_taken_off_the_budget(processes: Processes) -> None:
    """Waking up, and the broker's answers to others."""
    left = processes.run(60.0, samples=0.01, overhead=0.002, broker=0.001)
    assert left == pytest.approx(0.017, rel=0.01)


def test_samples_keep_six_tenths_however_much_the_rest_uses(processes: Processes) -> None:
    assert processes.run(60.0, overhead=0.5) == pytest.approx(BUDGET * 0.6)
    assert processes.share() == pytest.approx(BUDGET * 0.6), "also where no time has passed"


def test_pages_are_taken_off_the_budget(processes: Processes) -> None:
    assert processes.run(60.0, samples=0.01, pages=0.001) == pytest.approx(BUDGET - 0.001, rel=0.01)


def test_who_scrapes_often_takes_three_tenths_of_the_budget_at_most(processes: Processes) -> None:
    assert processes.run(60.0, pages=0.5) == pytest.approx(BUDGET * 0.7)
    assert processes.budget.exceeded_seconds > 0


def test_a_page_every_few_seconds_leaves_about_the_same_in_each(processes: Processes) -> None:
    processes.run(60.0, pages=0.002)
    shares = []
    for _ in range(12):
        processes.pages += 0.01
        shares += [processes.run(1.0) for _ in range(5)]
    assert max(shares) - min(shares) < BUDGET * 0.04


@pytest.mark.parametrize("multiple", [0.9, 1.0, 1.3])
def test_samples_that_take_more_than_was_estimated_are_given_less(
    processes: Processes, multiple: float
) -> None:
    """They use their share then, and where they take less they are given no more than that."""
    share = BUDGET
    for _ in range(120):
        share = processes.run(1.0, samples=share * multiple, overhead=0.003)
    assert share == pytest.approx(0.017 / max(multiple, 1.0), rel=0.01)


def test_no_more_than_a_quarter_of_the_budget_is_taken_for_that(processes: Processes) -> None:
    assert processes.run(60.0, samples=0.5) == pytest.approx(BUDGET * 0.75, rel=0.02)
    assert processes.run(60.0, samples=0.5, overhead=0.5) == pytest.approx(BUDGET * 0.35, rel=0.02)
    assert processes.run(60.0) == pytest.approx(BUDGET, rel=0.02)


def test_what_the_start_takes_is_not_taken_off(processes: Processes) -> None:
    assert processes.run(START_SECONDS - 1.0, samples=0.5) == pytest.approx(BUDGET)


@pytest.mark.parametrize("step", [0.25, 1.0, 2.0])
def test_what_was_used_beside_samples_counts_half_after_two_seconds(
    processes: Processes, step: float
) -> None:
    """However often it is read."""
    processes.run(60.0, overhead=0.008)
    assert processes.run(2.0, step=step) == pytest.approx(BUDGET - 0.004, rel=0.01)
    assert processes.run(2.0, step=step) == pytest.approx(BUDGET - 0.002, rel=0.01)


def test_a_busy_second_slows_sampling_down_for_seconds_only(processes: Processes) -> None:
    processes.run(30.0, samples=0.01)
    processes.overhead += 0.05
    assert processes.run(1.0) == pytest.approx(BUDGET * 0.6)
    assert processes.run(10.0) > BUDGET * 0.95


def test_samples_that_are_counted_before_the_process_has_used_them_leave_more_for_none(
    processes: Processes,
) -> None:
    """Clocks are read one after the other. The budget is never exceeded for that."""
    use = CpuUse(samples=1.0, sampling=0.9)
    processes.now += 1.0
    assert processes.budget.share_for_samples(BUDGET, use, processes.now) == BUDGET


def test_read_twice_at_the_same_time_it_tells_the_same(processes: Processes) -> None:
    share = processes.run(10.0, overhead=0.005)
    assert processes.share() == share
    processes.overhead += 1.0
    assert processes.share() == share
    # Nothing of what was used in between is lost.
    assert processes.run(1.0) < share


def test_another_budget_is_in_force_at_once(processes: Processes) -> None:
    processes.run(60.0, overhead=0.005)
    assert processes.share(0.05) == pytest.approx(0.045, rel=0.01)
    assert processes.share(0.004) == pytest.approx(0.0024)


def test_within_the_budget_nothing_is_exceeded(processes: Processes) -> None:
    processes.run(600.0, samples=0.015, overhead=0.003, pages=0.002)
    assert processes.budget.exceeded_seconds == 0.0


@pytest.mark.parametrize(("share", "exceeded"), [(0.0215, False), (0.0225, True)])
def test_a_tenth_more_than_the_budget_is_no_matter(
    processes: Processes, share: float, *, exceeded: bool
) -> None:
    processes.run(120.0, samples=share)
    assert (processes.budget.exceeded_seconds > 0) is exceeded


def test_the_budget_is_exceeded_by_all_processes_together(processes: Processes) -> None:
    processes.run(120.0, samples=0.01, pages=0.01, broker=0.01)
    assert processes.budget.exceeded_seconds > 0


def test_exceeded_seconds_grow_with_the_time_after_the_first_half_minute(processes: Processes) -> None:
    processes.run(START_SECONDS + WINDOW_SECONDS - 1.0, samples=0.1)
    assert (processes.budget.exceeded_seconds, processes.budget.window) == (0.0, None)
    processes.run(61.0, samples=0.1)
    assert processes.budget.exceeded_seconds == pytest.approx(61.0)


@pytest.mark.parametrize("step", [0.25, 1.0, 4.0])
def test_exceeded_seconds_do_not_depend_on_how_often_it_is_read(processes: Processes, step: float) -> None:
    processes.run(START_SECONDS + WINDOW_SECONDS + 4.0, samples=0.1, step=step)
    before = processes.budget.exceeded_seconds
    processes.run(60.0, samples=0.1, step=step)
    assert processes.budget.exceeded_seconds - before == pytest.approx(60.0)


def test_what_the_start_has_used_counts_for_no_excess(processes: Processes) -> None:
    """Two seconds of processor time are three times the budget of half a minute."""
    processes.run(START_SECONDS - 1.0, samples=0.2)
    processes.run(120.0, samples=0.015)
    assert processes.budget.exceeded_seconds == 0.0
    assert processes.window() == pytest.approx((0.015, BUDGET))


@pytest.mark.parametrize(("before", "after"), [(0.05, 0.02), (0.02, 0.05)])
def test_what_another_budget_allowed_is_no_excess_of_a_new_one(
    processes: Processes, before: float, after: float
) -> None:
    """At any time all of the budget in force was used."""
    for budget in (before, after):
        for _ in range(60):
            processes.now += 1.0
            processes.samples += budget
            processes.share(budget)
    assert processes.budget.exceeded_seconds == 0.0
    assert processes.window() == pytest.approx((after, after))


def test_a_busy_moment_is_forgotten_after_half_a_minute(processes: Processes) -> None:
    """0.9 s of processor time in half a minute is a share of three hundredths."""
    processes.run(60.0)
    processes.pages += 0.9
    processes.run(60.0)
    assert processes.budget.exceeded_seconds == pytest.approx(30.0, abs=1.0)
    before = processes.budget.exceeded_seconds
    processes.run(600.0)
    assert processes.budget.exceeded_seconds == before


def test_a_short_burst_that_the_half_minute_makes_up_for_is_no_matter(processes: Processes) -> None:
    processes.run(60.0, samples=0.01)
    processes.run(2.0, samples=0.1)
    processes.run(60.0, samples=0.01)
    assert processes.budget.exceeded_seconds == 0.0


def test_a_host_that_was_suspended_has_used_little(processes: Processes) -> None:
    """The time before counts with the time it slept."""
    processes.run(20.0, samples=0.1)
    processes.now += 3600.0
    assert processes.share() == BUDGET
    assert processes.budget.exceeded_seconds == 0.0


def test_of_the_past_no_more_than_half_a_minute_is_kept(processes: Processes) -> None:
    processes.run(600.0, samples=0.01)
    assert len(processes.budget._past) <= WINDOW_SECONDS + 2  # noqa: SLF001
