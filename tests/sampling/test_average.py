"""Averages that forget with time."""

from __future__ import annotations

import pytest

from exporter.sampling.average import averaged


@pytest.mark.parametrize(("passed", "expected"), [(0.0, 8.0), (3.0, 6.0), (6.0, 5.0), (300.0, 4.0)])
def test_what_was_before_counts_half_after_each_half_life(passed: float, expected: float) -> None:
    assert averaged(8.0, 4.0, passed, 3.0) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_it_does_not_depend_on_how_often_it_is_measured(steps: int) -> None:
    average = 8.0
    for _ in range(steps):
        average = averaged(average, 4.0, 3.0 / steps, 3.0)
    assert average == pytest.approx(6.0)
