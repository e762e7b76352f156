"""When a threshold is exceeded, and for how long it was."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.model import Level, Unit
from exporter.thresholds.state import ThresholdState

HALF = Level(0.5, Unit.RATIO)
FULL = Level(1.0, Unit.RATIO)
TEN = Level(10.0, Unit.CONNECTIONS)
ANY = Level(0.0, Unit.CONNECTIONS)


def threshold_state(level: Level = TEN, hold: float = 0.0, release: float = 0.0) -> ThresholdState:
    made = ThresholdState()
    configure(made, 0.0, None, level, hold=hold, release=release)
    return made


def configure(
    made: ThresholdState,
    now: float,
    connections: int | None,
    level: Level,
    *,
    hold: float = 0.0,
    release: float = 0.0,
) -> bool:
    """Take another threshold after the newest sample, at `now`; tell whether it is active."""
    made.set_threshold(
        level, hold=hold, release=release, connections=connections, ratio=None, now=now, covered=now
    )
    return made.active(now)


def feed(made: ThresholdState, now: float, connections: int | None, ratio: float | None = None) -> bool:
    """Take a sample at `now`, with samples that cover all the time since zero; tell whether it is active."""
    made.update(connections, ratio, now, now)
    return made.active(now)


@pytest.mark.parametrize(
    ("level", "connections", "ratio", "exceeded"),
    [
        (TEN, 9, 1.0, False),
        (TEN, 10, 0.1, True),
        (TEN, 11, None, True),
        (HALF, 1, 0.49, False),
        (HALF, 1, 0.5, True),
        (FULL, 10, 10 / 11, False),
        (FULL, 11, 11 / 11, True),
        (FULL, 12, 12 / 11, True),
        (ANY, 0, 0.0, False),
        (ANY, 1, 0.01, True),
        (Level(0.0, Unit.RATIO), 0, 0.0, False),
        (Level(0.0, Unit.RATIO), 1, 0.01, True),
    ],
)
def test_level_is_exceeded_at_its_value_and_never_by_an_empty_queue(
    *, level: Level, connections: int, ratio: float | None, exceeded: bool
) -> None:
    """So `100%` is a full queue, and `0` is any connection at all."""
    made = threshold_state(level)
    assert feed(made, 1.0, connections, ratio) is exceeded
    assert made.known


@pytest.mark.parametrize(("level", "connections", "ratio"), [(HALF, 5, None), (TEN, None, 0.5)])
def test_queue_that_cannot_be_compared_is_not_known(
    level: Level, connections: int | None, ratio: float | None
) -> None:
    """/proc/net shows no limit, so no share of it; unknown must not read as below the threshold."""
    made = threshold_state(level)
    assert not feed(made, 1.0, connections, ratio)
    assert not made.known


def test_nothing_is_known_before_the_first_sample() -> None:
    made = threshold_state()
    assert (made.known, made.active(9.0), made.seconds(9.0)) == (False, False, 0.0)


def test_sample_before_any_level_is_ignored() -> None:
    made = ThresholdState()
    assert not feed(made, 1.0, 100, 1.0)
    assert not made.known


def test_threshold_is_active_after_hold() -> None:
    made = threshold_state(hold=3.0)
    assert not feed(made, 1.0, 10)
    assert not made.active(3.9)
    assert made.active(4.0)


def test_threshold_that_is_exceeded_for_less_than_hold_is_never_active() -> None:
    made = threshold_state(hold=3.0, release=5.0)
    feed(made, 1.0, 10)
    assert not feed(made, 3.9, 9)
    assert not made.active(100.0)


def test_hold_begins_anew_each_time() -> None:
    made = threshold_state(hold=3.0)
    for now, length in ((1.0, 10), (2.0, 0), (3.0, 10), (5.0, 10)):
        assert not feed(made, now, length)
    assert made.active(6.0)


def test_time_that_no_samples_cover_counts_neither_for_hold_nor_for_release() -> None:
    """As while the source fails, or the host is suspended."""
    made = threshold_state(hold=3.0, release=5.0)
    made.update(10, None, now=1.0, covered=1.0)
    made.update(10, None, now=601.0, covered=2.0)
    assert not made.active(2.0)
    made.update(10, None, now=604.0, covered=5.0)
    assert made.active(5.0)
    made.update(0, None, now=605.0, covered=6.0)
    made.update(0, None, now=1205.0, covered=7.0)
    assert made.active(7.0)
    assert not made.active(11.0)


def test_threshold_stays_active_until_release() -> None:
    made = threshold_state(release=5.0)
    feed(made, 1.0, 10)
    assert feed(made, 2.0, 0)
    assert made.active(6.9)
    assert not made.active(7.0)


def test_release_begins_anew_with_each_fall() -> None:
    """A queue that flaps faster than release is active without a gap, and needs no second hold."""
    made = threshold_state(hold=2.0, release=5.0)
    feed(made, 0.0, 10)
    for now in range(2, 30, 4):
        assert feed(made, float(now), 0)
        assert feed(made, now + 2.0, 10)
    feed(made, 40.0, 0)
    assert made.active(44.9)
    assert not made.active(45.0)


def test_without_hold_and_release_it_follows_the_queue() -> None:
    made = threshold_state()
    assert [feed(made, now, length) for now, length in ((1.0, 10), (2.0, 9), (3.0, 11))] == [
        True,
        False,
        True,
    ]


def test_seconds_count_before_hold() -> None:
    made = threshold_state(hold=100.0)
    feed(made, 1.0, 10)
    feed(made, 3.0, 0)
    feed(made, 10.0, 10)
    assert made.seconds(10.5) == 2.5


def test_seconds_are_the_time_that_samples_cover() -> None:
    """On a host that was suspended for an hour the queue was not sampled full for an hour."""
    made = threshold_state()
    made.update(10, None, 1.0, 1.0)
    made.update(0, None, 3601.0, 1.5)
    assert made.seconds(1.5) == 0.5


def test_higher_level_ends_it_after_release() -> None:
    made = threshold_state(release=5.0)
    feed(made, 1.0, 10)
    assert configure(made, 2.0, 10, Level(20.0, Unit.CONNECTIONS), release=5.0)
    assert not made.active(7.0)
    assert made.seconds(7.0) == 1.0


def test_lower_level_begins_it_with_its_hold() -> None:
    made = threshold_state(Level(20.0, Unit.CONNECTIONS))
    feed(made, 1.0, 10)
    assert not configure(made, 2.0, 10, TEN, hold=3.0)
    assert made.active(5.0)


def test_longer_hold_leaves_an_active_threshold_active() -> None:
    made = threshold_state(hold=1.0)
    feed(made, 1.0, 10)
    assert made.active(2.0)
    assert configure(made, 2.0, 10, TEN, hold=60.0)
    assert feed(made, 3.0, 10)


def test_what_was_never_active_is_not_so_by_a_shorter_hold_and_a_higher_level() -> None:
    made = threshold_state(hold=300.0)
    feed(made, 1.0, 10)
    assert not configure(made, 60.0, 10, Level(20.0, Unit.CONNECTIONS), release=600.0)
    assert not feed(made, 61.0, 10)


def test_hold_begins_anew_with_another_level() -> None:
    made = threshold_state(hold=60.0)
    feed(made, 1.0, 30)
    assert not configure(made, 11.0, 30, Level(20.0, Unit.CONNECTIONS), hold=5.0)
    assert not feed(made, 15.0, 30)
    assert feed(made, 16.0, 30)
    assert made.seconds(16.0) == 15.0


def test_listener_that_is_gone_exceeds_nothing() -> None:
    made = threshold_state()
    feed(made, 1.0, 10)
    assert not feed(made, 2.0, None)
    assert not made.known
    assert made.seconds(50.0) == 1.0


def periods_until(now: int, held: list[bool]) -> list[tuple[bool, int]]:
    """Whether the threshold was exceeded, as periods of seconds."""
    return [(exceeded, len(list(same))) for exceeded, same in groupby(held[:now])]


def active(periods: list[tuple[bool, int]], hold: int, release: int) -> bool:
    """Whether it is active: the last period that was long enough decides."""
    for exceeded, seconds in reversed(periods):
        if seconds >= (hold if exceeded else release):
            return exceeded
    return False


@given(
    hold=st.integers(0, 5),
    release=st.integers(0, 5),
    periods=st.lists(st.tuples(st.booleans(), st.integers(1, 7)), max_size=12),
    every=st.integers(1, 5),
)
def test_state_follows_from_what_was_sampled(
    hold: int, release: int, periods: list[tuple[bool, int]], every: int
) -> None:
    """However often it is read: to read changes nothing."""
    made = threshold_state(TEN, float(hold), float(release))
    held = [exceeded for exceeded, seconds in periods for _ in range(seconds)]
    for now, exceeded in enumerate(held):
        made.update(10 if exceeded else 9, None, float(now), float(now))
        if now % every == 0:
            past = periods_until(now, held)
            if not past or past[-1][0] != exceeded:
                past.append((exceeded, 0))
            assert made.active(float(now)) is active(past, hold, release)
            assert made.seconds(float(now)) == sum(held[:now])
