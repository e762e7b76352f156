"""Durations as people write them."""

from __future__ import annotations

import pytest

from exporter import durations


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("30s", 30.0), ("1.5m", 90.0), ("2h", 7200.0), ("1d", 86_400.0)]
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "10", "s", "-1s", "1 s", "1e3s", "1.s", ".5s", "1S", "\u0661s", "1s ", "1000000000s"]
)
def test_anything_else_is_none(text: str) -> None:
    assert durations.seconds(text) is None
