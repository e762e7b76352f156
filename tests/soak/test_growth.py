"""What counts as growth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.soak.growth import Reading, compare

MIB = 1 << 20
FLAT = Reading(at=0, memory=50 * MIB, descriptors=100, threads=10, series=1000, log_lines=0)


def failed(change: Callable[[Reading, int], Reading], count: int = 100) -> list[str]:
    """Return what a run fails by whose readings, taken each second, are changed by their number."""
    readings = [change(replace(FLAT, at=float(number)), number) for number in range(count)]
    return [check.what for check in compare(readings) if not check.passed]


def test_what_stays_the_same_has_not_grown() -> None:
    assert failed(lambda reading, _: reading) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda reading, number: replace(reading, memory=FLAT.memory + number * MIB), "memory, MiB"),
        (lambda reading, number: replace(reading, descriptors=100 + number), "descriptors"),
        (lambda reading, number: replace(reading, threads=10 + number // 10), "threads"),
        (lambda reading, number: replace(reading, series=1000 + number * 5), "series"),
        (lambda reading, number: replace(reading, log_lines=number * number), "log lines a minute"),
    ],
)
def test_each_leak_fails_by_its_name(change: Callable[[Reading, int], Reading], what: str) -> None:
    assert failed(change) == [what]


def test_what_comes_and_goes_has_not_grown() -> None:
    def wave(reading: Reading, number: int) -> Reading:
        up = number % 7
        return replace(
            reading, descriptors=100 + 10 * up, threads=10 + up, series=1000 + 100 * up, log_lines=5 * number
        )

    assert failed(wave) == []


def test_what_fills_at_the_beginning_has_not_grown() -> None:
    assert failed(lambda reading, number: replace(reading, memory=(30 + min(number, 20)) * MIB)) == []


def test_too_few_readings_tell_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        failed(lambda reading, _: reading, count=9)


def test_a_line_has_what_was_compared_and_the_outcome() -> None:
    checks = compare([replace(FLAT, at=float(number), threads=number) for number in range(100)])
    lines = {check.what: check.line().split() for check in checks}
    assert lines["threads"] == ["threads", "20", "80", "at", "most", "+2", "FAILED"]
    assert lines["series"][-1] == "ok"
