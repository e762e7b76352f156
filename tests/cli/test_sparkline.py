"""Lines of bars."""

from __future__ import annotations

from exporter.cli.sparkline import sparkline


def test_blank_is_nothing_and_the_highest_is_all() -> None:
    assert sparkline([0.0, 0.001, 0.125, 0.126, 0.5, 0.999, 1.0]) == " ▁▁▂▄██"


def test_ascii_has_as_many_steps() -> None:
    shares = [step / 8 for step in range(9)]
    assert sparkline(shares) == " ▁▂▃▄▅▆▇█"
    assert len(set(sparkline(shares, blocks=False))) == 9
    assert sparkline([0.0, 1.0], blocks=False) == " #"


def test_what_is_beyond_is_drawn_as_the_ends() -> None:
    assert sparkline([-1.0, 2.0]) == " █"
    assert sparkline([]) == ""
