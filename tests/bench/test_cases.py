"""What the cases compute from their measurements."""

from __future__ import annotations

import pytest

from bench.cases.first_page import listeners_of_other_namespaces, most_series
from bench.cases.namespace_churn import Held, growth_after_first_fifth, least
from bench.cases.namespace_episodes import episodes
from bench.cpu_share import share
from bench.exposition import Exposition
from bench.noticed import Noticed
from bench.queue_watcher import Observed
from bench.results import Summary
from bench.workloads.episodes import Episode, Published, published

PAGE = Exposition(
    """# TYPE listen_queue_accept_length gauge
listen_queue_accept_length{netns="host",protocol="tcp",port="10511"} 0
listen_queue_accept_length{netns="pod",protocol="tcp",port="80"} 1
listen_queue_accept_length{netns="pod",protocol="unix",port=""} 1
listen_queue_accept_peak_utilization_ratio{netns="pod",protocol="tcp",port="80"} 1.5
listen_queue_accept_full_seconds_total{netns="pod",protocol="tcp",port="80"} 0.25
listen_queue_syn_recv{netns="host",protocol="tcp",port="10511"} 0
"""
)


def test_a_share_is_over_the_whole_span_with_its_extremes() -> None:
    assert share([(10.0, 1.0), (15.0, 1.5), (25.0, 1.75)]) == Summary(0.05, 0.025, 0.1)


def test_ranks_are_compared_and_not_the_order_of_measuring() -> None:
    later = Summary.of_rank_differences([0.09, 0.03, 0.05], [0.02, 0.04, 0.03])
    assert (later.median, later.minimum, later.maximum) == pytest.approx((0.02, 0.01, 0.05))


def test_as_many_are_compared() -> None:
    with pytest.raises(ValueError, match="longer"):
        Summary.of_rank_differences([0.1], [0.1, 0.2])


def test_listeners_of_the_own_namespace_are_no_pods() -> None:
    assert listeners_of_other_namespaces(PAGE) == 2


def test_series_are_counted_by_listener() -> None:
    assert most_series(PAGE, "tcp") == 3
    assert most_series(PAGE, "unix") == 1


def test_what_is_published_of_a_port_is_read() -> None:
    assert published(PAGE, 80) == Published(1.5, 0.25)
    assert published(PAGE, 8080) == Published(0.0, 0.0)


def test_what_is_less_than_before_is_nothing_left() -> None:
    assert Held(10, 1, 30).more_than(Held(12, 1, 20)) == Held(0, 0, 10)


def test_what_is_open_for_a_moment_is_not_held() -> None:
    counts = iter([12, 11, 10, 12])
    assert least(lambda: next(counts), looks=4, pause_seconds=0) == 10


def test_growth_leaves_the_first_fifth_out() -> None:
    steady = [(float(at), 100.0 if at < 60 else 140.0) for at in range(0, 301, 5)]
    assert growth_after_first_fifth(steady) == 0.0
    rising = [(float(at), float(at)) for at in range(0, 301, 5)]
    assert growth_after_first_fifth(rising) == pytest.approx(180.0)


def test_an_episode_is_noticed_by_the_peak_of_its_round_and_the_growth_of_seconds() -> None:
    (one, other) = episodes(
        [(1.0, 1.06), (2.0, 2.06)],
        [Published(1.0, 3.0), Published(0.0, 0.0)],
        [Published(0.5, 3.05), Published(1.0, 0.0)],
    )
    assert one.peak_ratio == 0.5
    assert one.full_seconds == pytest.approx(0.05)
    assert Noticed.of([one, other]) == Noticed(2, 0.5, 0.5)


def test_no_episode_is_no_success() -> None:
    with pytest.raises(RuntimeError, match="no episode"):
        Noticed.of([])


def test_an_episode_counts_where_it_was_observed() -> None:
    seen = Observed(((1.0, 1.05),), 0.05, 0.002)
    made = [Episode(1.01, 1.07, 1.0, 0.05), Episode(2.0, 2.06, 0.0, 0.0)]
    assert seen.confirmed(made) == made[:1]
