"""Which sets of prefixes overlap, compared with every pair of them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.prefix_index import PrefixIndex

PREFIXES = st.lists(st.text("ab\0\U0010ffff", max_size=4), max_size=3)


@settings(deadline=None)
@given(st.lists(PREFIXES, max_size=8))
def test_sets_overlap_where_a_prefix_begins_with_one_of_the_other(sets: list[list[str]]) -> None:
    index = PrefixIndex(sets)
    for position, prefixes in enumerate(sets):
        found = index.overlapping(position)
        assert all(list(each) == sorted(each) for each in found)
        assert {other for each in found for other in each} == {
            number
            for number, others in enumerate(sets)
            if not prefixes
            or not others
            or any(one.startswith(other) or other.startswith(one) for one in prefixes for other in others)
        }
