"""Whether TCP segments came in, without reading the counter too often where many do."""

from __future__ import annotations

import errno

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.procfs.tcp_activity import TcpActivity
from tests.kernel.fake_kernel import FakeFiles
from tests.kernel.procfs_tree import table

SNMP = "net/snmp"
TICK = 0.05


class Segments(FakeFiles):
    """A namespace in which so many segments came in."""

    def __init__(self, segments: int = 7) -> None:
        super().__init__()
        self.set(segments)

    def set(self, segments: int) -> None:
        """Change the number of segments."""
        self.contents[SNMP] = table("Tcp", {"InSegs": segments}).encode()


@pytest.mark.parametrize("segments", [0, 7])
def test_the_first_call_tells_whether_there_was_ever_a_segment_and_the_next_ones_a_new_one(
    segments: int,
) -> None:
    activity = TcpActivity(Segments(segments))
    assert [activity.idle(tick * TICK) for tick in range(4)] == [segments == 0, True, True, True]


def test_it_is_not_idle_after_a_segment_until_none_comes_any_more() -> None:
    segments = Segments()
    activity = TcpActivity(segments)
    activity.idle(0.0)
    segments.set(8)
    assert not activity.idle(TICK)
    assert activity.idle(1.0)


def test_while_segments_come_in_the_counter_is_read_twice_a_second() -> None:
    segments = Segments()
    activity = TcpActivity(segments)
    found = []
    for tick in range(41):
        segments.set(7 + tick)
        found.append(activity.idle(tick * TICK))
    assert found == [False] * 41
    assert segments.opened[SNMP] <= 6


def test_a_segment_between_two_reads_is_not_missed() -> None:
    segments = Segments()
    activity = TcpActivity(segments)
    for now, count in ((0.0, 7), (TICK, 8), (2 * TICK, 9)):
        segments.set(count)
        activity.idle(now)
    assert not activity.idle(1.0)
    assert activity.idle(2.0)


@pytest.mark.parametrize(
    "content",
    [table("Tcp", {"OutSegs": 1}).encode(), OSError(errno.EACCES, "open"), OSError(errno.ENOENT, "")],
)
def test_without_the_counter_it_is_never_idle(content: bytes | Exception) -> None:
    activity = TcpActivity(FakeFiles({SNMP: content}))
    assert [activity.idle(float(now)) for now in range(3)] == [False] * 3


def test_an_error_that_may_pass_is_raised() -> None:
    with pytest.raises(KernelError, match="EMFILE"):
        TcpActivity(FakeFiles({SNMP: OSError(errno.EMFILE, "open")})).idle(0.0)
