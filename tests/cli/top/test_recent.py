"""The shares of queues in the last minute."""

from __future__ import annotations

from exporter.cli.top.recent import Recent, key_of, patterns_of
from tests.cli.show.rows import listener

HTTP = listener(port="80", accept_utilization_ratio=0.5)
KEY = key_of(HTTP)


def test_the_newest_is_the_last_and_the_highest_of_a_part_counts() -> None:
    recent = Recent()
    for second, share in ((0, 0.1), (1, 0.9), (2, 0.2), (59, 0.4)):
        recent.note(second + 0.5, [listener(port="80", accept_utilization_ratio=share)])
    assert recent.shares(KEY, 59.9, 20) == [0.9, *[0.0] * 18, 0.4]
    assert recent.peak(KEY) == 0.9


def test_the_highest_of_a_second_counts() -> None:
    recent = Recent()
    for share in (0.2, 0.8, 0.1):
        recent.note(7.0, [listener(port="80", accept_utilization_ratio=share)])
    assert recent.shares(KEY, 7.0, 60)[-1] == 0.8


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    recent = Recent()
    recent.note(10.0, [HTTP])
    recent.note(69.0, [])
    assert recent.peak(KEY) == 0.5
    recent.note(70.0, [])
    assert recent.peak(KEY) == 0.0
    assert recent.shares(KEY, 70.0, 20) == [0.0] * 20


def test_a_queue_that_cannot_be_read_and_an_unknown_listener_have_none() -> None:
    recent = Recent()
    recent.note(1.0, [listener(port="80", accept_utilization_ratio=None)])
    assert recent.shares(KEY, 1.0, 3) == [0.0] * 3
    assert recent.shares(("other",), 1.0, 3) == [0.0] * 3


def test_listeners_of_two_programs_are_two() -> None:
    assert key_of(listener(process="a")) != key_of(listener(process="b"))
    assert dict(patterns_of(KEY))["port"] == "80"
