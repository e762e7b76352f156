"""The account of processor time that clients may cause."""

from __future__ import annotations

import pytest

from exporter.web.cpu_allowance import CpuAllowance


class Clocks:
    """Time that the test moves."""

    wall = 0.0
    cpu = 100.0

    def allowance(self, share: float) -> CpuAllowance:
        return CpuAllowance(lambda: share, lambda: self.wall, lambda: self.cpu)


def test_what_is_used_is_earned_again() -> None:
    clocks = Clocks()
    allowance = clocks.allowance(0.1)
    before = allowance.available
    clocks.cpu += 0.051
    used_up = allowance.available
    clocks.wall += 0.05
    assert (before, used_up, allowance.available) == (True, False, True)


def test_processor_time_of_other_threads_counts() -> None:
    allowance = Clocks().allowance(0.1)
    allowance.spend(0.2)
    assert not allowance.available


def test_what_a_block_takes_by_the_clock_of_the_thread_is_spent_in_a_part() -> None:
    clocks = Clocks()
    part = clocks.allowance(0.1).part(0.5)
    with part.measured():
        clocks.cpu += 0.11
    assert part.pause_seconds() == pytest.approx(0.01 / 0.05 + 0.1)


def test_no_pause_is_long_however_much_was_used_and_yet_it_is_paid_back() -> None:
    clocks = Clocks()
    allowance = clocks.allowance(0.1)
    assert allowance.available
    clocks.cpu += 60.0
    assert allowance.pause_seconds() == pytest.approx(0.35)
    clocks.wall += 4.9
    in_debt = not allowance.available
    clocks.wall += 0.11
    assert (in_debt, allowance.available) == (True, True)


def test_a_part_owes_no_more_than_its_longest_pause_earns() -> None:
    clocks = Clocks()
    part = clocks.allowance(0.1).part(0.5)
    part.spend(60.0)
    assert part.pause_seconds() == pytest.approx(0.35)
    clocks.wall += 0.26
    assert part.available


def test_a_quiet_time_earns_no_more_than_a_burst() -> None:
    clocks = Clocks()
    allowance = clocks.allowance(0.1)
    clocks.wall += 3600.0
    before = allowance.available
    clocks.cpu += 0.06
    assert (before, allowance.available) == (True, False)


def test_a_part_spends_only_what_is_noted_in_it() -> None:
    clocks = Clocks()
    whole = clocks.allowance(0.1)
    part = whole.part(0.5)
    before = whole.available
    clocks.cpu += 1.0
    assert (before, whole.available, part.available) == (True, False, True)
    part.spend(0.11)
    assert part.pause_seconds() == pytest.approx(0.01 / 0.05 + 0.1)
