"""When a queue was nearly as full as at its fullest."""

from __future__ import annotations

from exporter.api.spikes import spikes

END = 100.0


def test_neighbours_of_half_the_height_are_one_spike() -> None:
    changes = [(10.0, 0), (11.0, 4), (11.5, 8), (12.0, 5), (13.0, 1), (14.0, 0)]
    assert spikes(changes, END) == [(11.0, 13.0, 8)]


def test_the_highest_comes_first_and_lower_ones_are_left_out() -> None:
    changes = [(10.0, 5), (11.0, 0), (20.0, 8), (21.0, 0), (30.0, 3), (31.0, 0)]
    assert spikes(changes, END) == [(20.0, 21.0, 8), (10.0, 11.0, 5)]


def test_what_lasts_ends_now_and_what_is_not_known_is_no_spike() -> None:
    assert spikes([(10.0, None), (90.0, 2)], END) == [(90.0, END, 2)]
    assert spikes([(10.0, 0), (20.0, None)], END) == []
    assert spikes([], END) == []
