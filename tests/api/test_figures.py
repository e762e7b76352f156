"""Figures as people read them."""

from __future__ import annotations

import pytest

from exporter.api.figures import counted, duration, iso, number, percent


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "unknown"),
        (0.0, "0%"),
        (0.001, "<1%"),
        (0.5, "50%"),
        (0.996, "99%"),
        (1.0, "100%"),
        (1.2, "120%"),
    ],
)
def test_percent(ratio: float | None, text: str) -> None:
    """What is not empty is not 0%, and what is not full is not 100%."""
    assert percent(ratio) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0.05, "50 ms"),
        (3.25, "3.2 s"),
        (59.96, "1 min"),
        (600.0, "10 min"),
        (3600.0, "1 h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_what_is_not_known_is_no_number() -> None:
    assert (number(None), number(0), number(12345)) == ("unknown", "0", "12,345")


def test_counted() -> None:
    assert (counted(1, "listener"), counted(0, "listener")) == ("1 listener", "0 listeners")


def test_a_time_for_programs_has_its_offset() -> None:
    assert iso(1_700_000_000.25)[19:23] == ".250"
    assert iso(1_700_000_000.25)[23:] not in ("", "Z")
