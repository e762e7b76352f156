"""Sets of whole numbers, compared with Python's sets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.ranges import Ranges, blocks, covers, merged, overlap

NUMBERS = st.integers(0, 100)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair))), max_size=5)

each_set = settings(deadline=None)


def numbers(ranges: Ranges | list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@each_set
@given(PAIRS)
def test_merged_ranges_have_the_same_numbers_and_gaps_between_them(pairs: list[tuple[int, int]]) -> None:
    ranges = merged(pairs)
    assert numbers(ranges) == numbers(pairs)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


@each_set
@given(PAIRS, PAIRS)
def test_ranges_cover_others_exactly_where_they_have_all_their_numbers(
    outer: list[tuple[int, int]], inner: list[tuple[int, int]]
) -> None:
    assert covers(merged(outer), merged(inner)) == (numbers(inner) <= numbers(outer))


@each_set
@given(PAIRS, PAIRS)
def test_ranges_overlap_exactly_where_they_have_a_number_in_common(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    assert overlap(merged(one), merged(other)) == bool(numbers(one) & numbers(other))


@each_set
@given(PAIRS)
def test_blocks_have_each_number_of_the_ranges_once(pairs: list[tuple[int, int]]) -> None:
    ranges = merged(pairs)
    found = [
        number for width, block in blocks(ranges) for number in range(block << width, (block + 1) << width)
    ]
    assert sorted(found) == sorted(numbers(ranges))


def test_a_large_range_needs_few_blocks() -> None:
    assert len(list(blocks(((1, 2**128 - 2),)))) <= 2 * 128
