"""The changes of one queue, and what is kept of them."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.history.recording import CHANGE_BYTES, Change, Recording


def recording(*changes: tuple[float, int | None, float | None]) -> Recording:
    made = Recording()
    for at, length, ratio in changes:
        made.add(at, length, ratio)
    return made


def changes(found: Recording) -> list[tuple[float, int | None]]:
    return [(change.at, change.length) for change in found]


def test_only_changes_are_kept() -> None:
    made = recording((1.0, 0, 0.0), (1.05, 3, 0.75), (1.1, 3, 0.75), (1.15, 0, 0.0), (1.2, 0, 0.0))
    assert list(made) == [Change(1.0, 0, 0.0), Change(1.05, 3, 0.75), Change(1.15, 0, 0.0)]


def test_a_ratio_that_no_binary_fraction_has_is_no_change_when_it_comes_again() -> None:
    assert len(recording((1.0, 1, 1 / 3), (1.05, 1, 1 / 3))) == 1


def test_another_ratio_of_the_same_length_is_a_change() -> None:
    """Another backlog, or another socket that is the fullest."""
    assert len(recording((1.0, 8, 0.5), (1.05, 8, 1.0))) == 2


def test_what_is_not_known_is_told_from_an_empty_queue() -> None:
    made = recording((1.0, 2, None), (2.0, None, None), (3.0, None, None), (4.0, 0, 0.0))
    assert list(made) == [Change(1.0, 2, None), Change(2.0, None, None), Change(4.0, 0, 0.0)]


def test_what_was_still_the_case_at_a_time_is_not_forgotten() -> None:
    made = recording((1.0, 1, 0.1), (2.0, 2, 0.2), (5.0, 3, 0.3))
    made.forget_before(4.0)
    assert changes(made) == [(2.0, 2), (5.0, 3)]
    made.forget_before(5.0)
    assert changes(made) == [(5.0, 3)]
    made.forget_before(100.0)
    assert changes(made) == [(5.0, 3)]


def test_a_part_begins_with_what_was_the_case_at_its_begin() -> None:
    made = recording((1.0, 1, 0.1), (2.0, 2, 0.2), (5.0, 3, 0.3), (9.0, 0, 0.0))
    assert changes(made.between(3.0, 6.0)) == [(2.0, 2), (5.0, 3)]
    assert changes(made.between(0.0, 1.5)) == [(1.0, 1)]
    assert changes(made.between(0.0, 0.5)) == []


def test_an_empty_queue_and_one_that_is_gone_are_at_rest() -> None:
    assert recording((1.0, 5, 0.5), (2.0, 0, 0.0)).at_rest()
    assert recording((1.0, 5, 0.5), (2.0, None, None)).at_rest()
    assert not recording((1.0, 5, 0.5), (2.0, 1, 0.1)).at_rest()


@given(st.lists(st.tuples(st.none() | st.integers(0, 5), st.none() | st.floats(0, 2, width=32)), min_size=1))
def test_each_sample_can_be_read_back(samples: list[tuple[int | None, float | None]]) -> None:
    made = recording(*((float(at), length, ratio) for at, (length, ratio) in enumerate(samples)))
    found = list(made)
    for at, (length, ratio) in enumerate(samples):
        held = [change for change in found if change.at <= at][-1]
        assert (held.length, held.ratio) == (length, ratio)


def test_a_queue_may_be_longer_than_the_kernel_can_tell_of_one_socket() -> None:
    """A listener may have several sockets."""
    assert lengths_of(recording((1.0, 3 << 32, 1.0))) == [3 << 32]


def test_a_change_takes_as_much_as_is_counted() -> None:
    assert sum(array(code).itemsize for code in "dqf") == CHANGE_BYTES


def lengths_of(found: Recording) -> list[int | None]:
    return [change.length for change in found]


def test_of_each_span_of_time_there_is_the_highest_ratio() -> None:
    made = recording((11.0, 0, 0.0), (12.1, 5, 0.5), (12.2, 0, 0.0), (13.5, 9, 0.875), (15.5, 1, 0.125))
    assert made.span_ratios(10.0, 1.0, 8) == [0.0, 0.0, 0.5, 0.875, 0.875, 0.875, 0.125, 0.125]


def test_a_span_of_which_nothing_is_known_has_no_ratio() -> None:
    made = recording((1.0, 2, 0.25), (3.0, None, None), (6.5, 1, 0.125))
    assert made.span_ratios(0.0, 1.0, 8) == [0.0, 0.25, 0.25, None, None, None, 0.125, 0.125]


def test_spans_begin_with_what_was_the_case() -> None:
    made = recording((1.0, 2, 0.25), (2.0, 8, 1.0), (20.0, 0, 0.0))
    assert made.span_ratios(10.0, 5.0, 3) == [1.0, 1.0, 0.0]
    assert Recording().span_ratios(10.0, 5.0, 2) == [0.0, 0.0]


def test_what_was_lost_is_not_an_empty_queue() -> None:
    made = recording((1.0, 2, 0.25), (2.0, 8, 1.0), (5.5, 0, 0.0))
    made.lose_oldest(2)
    assert made.span_ratios(0.0, 2.0, 4) == [None, None, 0.0, 0.0]
    assert made.between(0.0, 9.0).span_ratios(0.0, 2.0, 4) == [None, None, 0.0, 0.0]
    assert made.between(6.0, 9.0).span_ratios(6.0, 1.0, 2) == [0.0, 0.0]


def test_a_gap_between_samples_is_not_known() -> None:
    full = recording((1.0, 2, 0.25), (2.0, 8, 1.0))
    full.add_gap(3.0, 7.0)
    assert full.span_ratios(0.0, 1.0, 9) == [0.0, 0.25, 1.0, None, None, None, None, 1.0, 1.0]
    changed = recording((2.0, 8, 1.0), (7.0, 1, 0.125))
    changed.add_gap(2.0, 7.0)
    assert lengths_of(changed) == [8, None, 1]
    empty = recording()
    empty.add_gap(2.0, 4.0)
    assert empty.span_ratios(0.0, 1.0, 6) == [0.0, 0.0, None, None, 0.0, 0.0]
    going_on = recording((1.0, 2, 0.25))
    going_on.add_gap(3.0, None)
    assert going_on.span_ratios(0.0, 1.0, 5) == [0.0, 0.25, 0.25, None, None]
    lost = recording((5.0, 1, 0.125))
    lost.lose_oldest(0)
    lost.add_gap(2.0, 4.0)
    assert lost.span_ratios(0.0, 2.0, 4) == [None, None, 0.125, 0.125]


def test_the_highest_from_a_time_on() -> None:
    made = recording((1.0, None, None), (2.0, 8, 1.0), (3.0, 2, 0.25), (9.0, None, None))
    assert (made.highest_ratio(), made.highest_length()) == (1.0, 8)
    assert (made.highest_ratio(4.0), made.highest_length(4.0)) == (0.25, 2)
    assert (made.highest_ratio(9.5), made.highest_length(9.5)) == (0.0, None)
