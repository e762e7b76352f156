"""Bars that show a share."""

from __future__ import annotations

import pytest

from exporter.cli.bar import bar


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (0.0, "....."),
        (0.001, "#...."),
        (0.5, "##..."),
        (0.999, "####."),
        (1.0, "#####"),
        (12.5, "#####"),
        (-1.0, "....."),
    ],
)
def test_only_nothing_is_empty_and_only_a_full_queue_is_full(share: float, drawn: str) -> None:
    assert bar(share, 5, blocks=False) == drawn


def test_blocks_are_drawn_where_there_are_any() -> None:
    assert bar(0.5, 4, blocks=True) == "██░░"
