"""The growth of counters."""

from __future__ import annotations

import pytest

from exporter.cli.top.rates import Rates


def test_of_all_namespaces_together_over_the_last_ten_seconds() -> None:
    rates = Rates()
    for second in range(31):
        rates.note(
            float(second), [{"netns": "host", "x": second * second}, {"netns": "pod", "x": 5 * second}]
        )
    assert rates.per_second("x") == pytest.approx((30 * 30 - 20 * 20) / 10 + 5)


def test_one_reading_tells_nothing() -> None:
    rates = Rates()
    assert rates.per_second("x") is None
    rates.note(1.0, [{"netns": "host", "x": 1}])
    assert rates.per_second("x") is None


def test_a_counter_that_is_not_known_or_of_another_host_tells_nothing() -> None:
    rates = Rates()
    rates.note(1.0, [{"netns": "host", "x": None, "y": True}])
    rates.note(2.0, [{"netns": "host", "x": None, "y": True}])
    assert rates.per_second("x") is rates.per_second("y") is None


def test_a_number_that_no_counter_has_is_not_counted() -> None:
    rates = Rates()
    rates.note(1.0, [{"netns": "host", "x": 10**400, "y": float("nan")}])
    rates.note(2.0, [{"netns": "host", "x": 10**400, "y": float("nan")}])
    assert rates.per_second("x") is rates.per_second("y") is None


def test_namespaces_that_come_and_counters_that_begin_again_are_no_growth() -> None:
    rates = Rates()
    rates.note(1.0, [{"netns": "host", "x": 100}, {"netns": "old", "x": 1}])
    rates.note(3.0, [{"netns": "host", "x": 0}, {"netns": "old", "x": 3}, {"netns": "new", "x": 999}])
    assert rates.per_second("x") == 1.0


def test_several_readings_in_a_second_are_one() -> None:
    rates = Rates()
    rates.note(1.0, [{"netns": "host", "x": 0}])
    rates.note(1.1, [{"netns": "host", "x": 7}])
    assert rates.per_second("x") is None
