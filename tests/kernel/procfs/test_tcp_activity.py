"""The gate is shut only where nothing can have come in, and asks little where much does."""

from __future__ import annotations

from exporter.kernel.errors import UnavailableError
from exporter.kernel.procfs.tcp_activity import TcpActivity

BEAT = 0.05


class Counter:
    """A count of segments, and how often it was read."""

    def __init__(self) -> None:
        self.segments: int | None = 7
        self.reads = 0

    def __call__(self) -> int | None:
        """Read it."""
        self.reads += 1
        return self.segments


def test_the_first_look_finds_it_open_and_the_next_ones_shut() -> None:
    activity = TcpActivity(Counter())
    assert [activity.idle(beat * BEAT) for beat in range(4)] == [False, True, True, True]


def test_a_segment_opens_it_and_silence_shuts_it_again() -> None:
    counter = Counter()
    activity = TcpActivity(counter)
    activity.idle(0.0)
    counter.segments = 8
    assert not activity.idle(BEAT)
    assert activity.idle(1.0)


def test_while_segments_come_in_it_is_looked_at_twice_a_second() -> None:
    counter = Counter()
    activity = TcpActivity(counter)
    found = []
    for beat in range(41):
        counter.segments = 7 + beat
        found.append(activity.idle(beat * BEAT))
    assert found == [False] * 41
    assert counter.reads <= 6


def test_a_segment_between_two_looks_is_not_overlooked() -> None:
    """However long ago the look before was."""
    counter = Counter()
    activity = TcpActivity(counter)
    for now, segments in ((0.0, 7), (BEAT, 8), (2 * BEAT, 9)):
        counter.segments = segments
        activity.idle(now)
    assert not activity.idle(1.0)
    assert activity.idle(2.0)


def test_without_the_counter_it_is_open() -> None:
    counter = Counter()
    counter.segments = None
    activity = TcpActivity(counter)
    assert [activity.idle(float(now)) for now in range(3)] == [False] * 3


def test_where_it_may_not_be_read_it_is_open() -> None:
    def refuse() -> int | None:
        raise UnavailableError("cannot read net/snmp", "EACCES")

    activity = TcpActivity(refuse)
    assert [activity.idle(float(now)) for now in range(3)] == [False] * 3
