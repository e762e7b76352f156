"""The limits of the benchmark, and of its quick form."""

from __future__ import annotations

import pytest

from bench.limits import LIMITS, Direction, Limit, limit_in_force
from bench.regression import check, quick_limits
from bench.results import Summary
from bench.units import Unit

AT_MOST = Limit("idle", "workload", "measure", Direction.AT_MOST, 2.0)
AT_LEAST = Limit("ss", "workload", "measure", Direction.AT_LEAST, 4.0)


@pytest.mark.parametrize(
    ("limit", "measured", "met"),
    [
        (AT_MOST, 2.0, True),
        (AT_MOST, 2.1, False),
        (AT_LEAST, 4.0, True),
        (AT_LEAST, 3.9, False),
    ],
)
def test_a_limit_is_met_on_its_side(limit: Limit, measured: float, *, met: bool) -> None:
    assert limit.met_by(measured) is met


def test_another_value_may_be_in_force() -> None:
    assert AT_MOST.met_by(2.5, 3.0)
    assert AT_MOST.text(3.0) == "at most 3"


@pytest.mark.parametrize(("without_scrapers", "value"), [(0.002, 0.01), (0.008, 0.016)])
def test_lateness_may_be_twice_what_it_is_without_scrapers(without_scrapers: float, value: float) -> None:
    (lateness,) = (limit for limit in LIMITS if limit.name == "lateness")
    measured = {"lateness_without_scrapers": Summary.of([without_scrapers])}
    assert limit_in_force(lateness, measured) == value
    assert limit_in_force(lateness, {}) == 0.01


@pytest.mark.parametrize(
    ("name", "values", "met"),
    [
        ("idle", [3.0, 1.5, 9.0], True),
        ("idle", [1.7, 1.9], False),
        ("ss", [1.0, 4.5], True),
        ("ss", [1.0, 3.9], False),
    ],
)
def test_the_best_round_counts_in_the_quick_form(name: str, values: list[float], *, met: bool) -> None:
    ((found, line),) = check({name: Summary.of(values)}, {name: {"idle": 1.6, "ss": 4.0}[name]})
    assert found is met
    assert line.startswith("ok" if met else "REGRESSION")


def test_what_was_not_measured_is_told_and_no_failure() -> None:
    assert list(check({}, {"idle": 1.6})) == [(True, "not measured  idle")]


def test_every_quick_limit_is_one_of_the_limits() -> None:
    assert set(quick_limits()) <= {limit.name for limit in LIMITS}
    assert quick_limits()


def test_names_of_limits_are_unique() -> None:
    assert len({limit.name for limit in LIMITS}) == len(LIMITS)


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (Unit.RATIO, 0.03333, "0.0333"),
        (Unit.SHARE, 0.015, "1.5 %"),
        (Unit.BYTES, 48e6, "48 MB"),
        (Unit.COUNT, 0, "0"),
        (Unit.COUNT, 22.5, "22.5"),
        (Unit.COUNT, 6000.4, "6,000"),
        (Unit.SECONDS, 1.5, "1.5 s"),
        (Unit.SECONDS, 0.25, "250 ms"),
        (Unit.SECONDS, 0.000282, "282 us"),
    ],
)
def test_values_have_three_digits_and_a_unit(unit: Unit, value: float, text: str) -> None:
    assert unit.format(value) == text


def test_ratios_are_of_values_of_the_same_round() -> None:
    assert Summary.of_ratios([2.0, 9.0, 4.0], [1.0, 3.0, 1.0]) == Summary(3.0, 2.0, 4.0)
