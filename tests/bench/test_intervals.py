"""Intervals and samples, as they are read from pages."""

from __future__ import annotations

import pytest

from bench.exposition import Exposition
from bench.intervals import Intervals, namespaces, oldest_age, passes

PREFIX = "listen_queue_exporter_"


def page(
    *,
    longest: tuple[float, float] = (0.1, 0.1),
    usual: tuple[float, float] | None = None,
    samples: tuple[float, float] = (0, 0),
    newest: tuple[float, float] = (0, 0),
) -> Exposition:
    """A page with a value each of the sources inet and unix, and another source that does not count."""
    families = {
        "sample_interval_seconds": longest,
        "sample_interval_usual_seconds": usual,
        "samples_total": samples,
        "last_sample_timestamp_seconds": newest,
    }
    lines = [f"{PREFIX}namespaces 11.0"]
    for name, values in families.items():
        if values is not None:
            sources = zip(("inet", "unix", "netstat"), (*values, 1e9), strict=True)
            lines += [f'{PREFIX}{name}{{source="{source}"}} {value}' for source, value in sources]
    return Exposition("\n".join(lines) + "\n")


def test_of_two_sources_the_slower_counts() -> None:
    assert Intervals.of(page(longest=(0.3, 0.9), usual=(0.2, 0.1))) == Intervals(0.9, 0.2)


def test_the_usual_interval_may_be_missing() -> None:
    assert Intervals.of(page(longest=(0.3, 0.9))) == Intervals(0.9, None)
    assert Intervals.over([page(longest=(0.3, 0.9))]) == Intervals(0.9, None)


def test_over_several_pages_the_longest_and_the_median_of_the_usual_ones_count() -> None:
    pages = [page(longest=(each, 0.1), usual=(each, 0.1)) for each in (0.2, 2.0, 0.4)]
    assert Intervals.over(pages) == Intervals(2.0, 0.4)


def test_a_page_without_intervals_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        Intervals.of(Exposition(f"{PREFIX}namespaces 1.0\n"))


def test_a_pass_is_a_sample_of_each_source_in_each_namespace() -> None:
    before = page(samples=(100, 200))
    assert namespaces(before) == 11
    assert passes(before, page(samples=(100 + 11, 200 + 11))) == 1.0
    assert passes(before, page(samples=(100 + 22, 200))) == 1.0


def test_age_is_that_of_the_oldest_sample_of_a_listener_source() -> None:
    assert oldest_age(page(newest=(1000.0, 998.5)), 1001.0) == 2.5
