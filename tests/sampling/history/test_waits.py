"""The histogram of waits, compared with counting each of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.history.waits import BUCKETS, NO_WAITS, histogram_of

# Eighths, so that sums are exact, and the bounds themselves.
WAITS = st.lists(st.integers(0, 1000).map(lambda eighths: eighths / 8) | st.sampled_from([0.5, 1.0, 60.0]))


@given(WAITS, WAITS)
def test_counts_are_those_of_all_waits(first: list[float], second: list[float]) -> None:
    """A wait that is equal to a bound is below it, as `le` says."""
    both = [*first, *second]
    counts, total = histogram_of(first).plus(histogram_of(second)).histogram()
    assert counts == (*(sum(wait <= bound for wait in both) for bound in BUCKETS), len(both))
    assert total == pytest.approx(sum(both))


def test_without_a_wait_every_bucket_is_there() -> None:
    assert histogram_of([]) == NO_WAITS
    assert NO_WAITS.histogram().cumulative_counts == (0,) * 11
