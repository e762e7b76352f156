"""How a share is divided among namespaces: listeners, and what is not asked each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from exporter.sampling.namespace_shares import NamespaceShares
from exporter.sampling.namespace_slot import NamespaceSlot
from exporter.sampling.schedule import MAX_INTERVAL_SECONDS, Schedule
from exporter.sampling.source_runner import SourceRunner

NOW = 1000.0
BUDGET = 0.02
INTERVAL = 0.05
ROUNDING = 1e-9


class Consumer:
    """Stands in for a slot, and for a runner of a source in it."""

    def __init__(self, cost: float, interval: float = INTERVAL) -> None:
        self.schedule = Schedule(interval)
        for _ in range(2):
            self.schedule.note_cost(cost, NOW)
        self.requested_share = self.schedule.requested_share
        self.least_share = self.schedule.least_share
        self.share_in_force = self.schedule.share_in_force
        self.limit_to = self.schedule.limit_to
        self.set_min_interval = self.schedule.set_min_interval


class Slot(Consumer):
    """A namespace with one source that is asked every second, or every four where it is quiet."""

    def __init__(self, cost: float, seldom_cost: float = 0.0, *, quiet: bool) -> None:
        super().__init__(cost)
        self.quiet = quiet
        self.others = [Consumer(seldom_cost, 4.0 if quiet else 1.0)]


def shares(
    slots: Sequence[Slot], *own: Consumer, budget: float = BUDGET, present: float = 0.0
) -> NamespaceShares:
    of_namespaces, of_own = cast("list[NamespaceSlot]", slots), cast("list[SourceRunner]", list(own))
    return NamespaceShares(of_namespaces, of_own, budget, INTERVAL, present)


def in_force(slots: Sequence[Slot]) -> float:
    """The share that all of them use."""
    seldom = sum(source.share_in_force() for slot in slots for source in slot.others)
    return seldom + sum(slot.share_in_force() for slot in slots)


def test_all_of_it_is_requested_and_the_least_is_that_of_the_longest_intervals() -> None:
    slots = [Slot(0.001, 0.01, quiet=False), Slot(0.002, 0.004, quiet=True)]
    assert shares(slots).requested_share() == pytest.approx(
        0.001 / INTERVAL + 0.002 / INTERVAL + 0.01 + 0.001
    )
    assert shares(slots).least_share() == pytest.approx(0.017 / MAX_INTERVAL_SECONDS)


def test_what_is_asked_seldom_in_busy_namespaces_has_a_quarter() -> None:
    slots = [Slot(0.00003, 0.0002, quiet=False) for _ in range(20)]
    shares(slots, budget=0.004).limit_to(0.004, NOW)
    assert {source.schedule.interval_in_force for slot in slots for source in slot.others} == {4.0}
    assert in_force(slots) <= 0.004
    assert in_force(slots) >= 0.9 * 0.004


def test_what_it_takes_at_the_longest_interval_is_taken_from_the_listeners() -> None:
    """More than a quarter of the share, and not on top of it."""
    slots = [Slot(0.00003, 0.0006, quiet=False) for _ in range(20)]
    shares(slots, budget=0.004).limit_to(0.004, NOW)
    seldom = sum(source.share_in_force() for slot in slots for source in slot.others)
    assert seldom == pytest.approx(0.003)
    # They keep half of the budget in any case.
    assert in_force(slots) == pytest.approx(seldom + 0.002, rel=0.05)


@pytest.mark.parametrize(("cost", "interval"), [(0.0002, INTERVAL), (0.00026, 2 * INTERVAL)])
def test_busy_ones_that_need_three_quarters_of_the_budget_have_the_full_rate(
    cost: float, interval: float
) -> None:
    """However little is left; where they need more, they share half of it."""
    busy = [Slot(cost, quiet=False) for _ in range(3)]
    quiet = Slot(0.0001, quiet=True)
    shares([*busy, quiet]).limit_to(BUDGET * 0.35, NOW)
    assert [slot.schedule.interval_in_force for slot in busy] == [pytest.approx(interval)] * 3
    assert quiet.schedule.interval_in_force < MAX_INTERVAL_SECONDS


def test_one_costly_source_slows_itself_down_and_none_of_the_others() -> None:
    slots = [Slot(0.00001, cost, quiet=False) for cost in (0.01, 0.0001, 0.0001)]
    shares(slots).limit_to(BUDGET, NOW)
    assert [slot.others[0].schedule.interval_in_force for slot in slots] == [3.0, 1.0, 1.0]


def test_quiet_namespaces_share_what_their_own_seldom_sources_leave() -> None:
    slots = [Slot(0.0001, 0.001, quiet=True) for _ in range(40)]
    divided = shares(slots)
    divided.limit_to(BUDGET, NOW)
    assert divided.quiet_interval == pytest.approx(0.4)
    assert {slot.schedule.interval_in_force for slot in slots} == {divided.quiet_interval}
    assert in_force(slots) <= BUDGET + ROUNDING


def test_sources_of_the_own_namespace_are_among_the_quiet() -> None:
    own = Consumer(0.0001)
    slots = [Slot(0.0001, quiet=True)]
    together = shares(slots, own)
    together.limit_to(0.0005, NOW)
    assert together.quiet_interval == pytest.approx(0.4)
    assert own.schedule.interval_in_force == slots[0].schedule.interval_in_force


def test_without_namespaces_there_is_no_usual_interval() -> None:
    divided = shares([], present=0.4)
    divided.limit_to(BUDGET, NOW)
    assert divided.quiet_interval == 0.0


@pytest.mark.parametrize(("present", "kept"), [(0.35, 0.4), (0.4, 0.4), (0.44, 0.44), (0.45, 0.4)])
def test_an_interval_that_is_little_longer_than_it_has_to_be_is_kept(present: float, kept: float) -> None:
    slots = [Slot(0.0001, quiet=True), Slot(0.0001, quiet=True)]
    divided = shares(slots, present=present)
    divided.limit_to(0.0005, NOW)
    assert divided.quiet_interval == pytest.approx(kept)
    assert [slot.schedule.interval_in_force for slot in slots] == pytest.approx([kept, kept])
