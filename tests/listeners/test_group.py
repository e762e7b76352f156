"""The sums of a group of sockets, and its fullest socket."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.records import QueueReading
from exporter.kernel.syn_queue import SynQueueBound
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from tests.listeners.sockets import reading, tcp

WRAP = 1 << 32
STEPS = st.sampled_from(["open", "update", "close"])
COUNTS = st.none() | st.integers(0, 50)


def group_of(*readings: QueueReading) -> ListenerGroup:
    group = ListenerGroup(key_of(tcp(1), "host", "tcp"))
    for each in readings:
        group.open(tcp(each.cookie), each)
    return group


def present(group: ListenerGroup) -> tuple[int | None, int | None, float | None]:
    return group.length, group.limit, group.utilization


def added_up(readings: Iterable[QueueReading]) -> tuple[int | None, int | None, float | None]:
    """Return the same, computed anew; a sum of which a part is not known is not known."""
    lengths = [each.length for each in readings]
    limits = [each.limit for each in readings]
    ratios = [
        length / (limit + 1)
        for length, limit in zip(lengths, limits, strict=True)
        if length is not None and limit is not None
    ]
    return (
        None if None in lengths or not lengths else sum(value for value in lengths if value is not None),
        None if None in limits or not limits else sum(value for value in limits if value is not None),
        max(ratios) if ratios else None,
    )


def test_a_group_has_sums_and_the_utilization_of_its_fullest_socket() -> None:
    """With one full and one idle socket every second client fails, so the listener is not half full."""
    group = group_of(reading(1, length=10, limit=9), reading(2, length=0, limit=29))
    assert present(group) == (10, 38, 1.0)


def test_a_queue_is_full_at_its_backlog_and_one() -> None:
    assert group_of(reading(1, length=128, limit=128)).utilization == 128 / 129
    assert group_of(reading(1, length=129, limit=128)).utilization == 1.0
    assert group_of(reading(1, length=1, limit=0)).utilization == 1.0


def test_utilization_may_exceed_one() -> None:
    """A second listen() with a smaller backlog leaves the queue longer than the limit."""
    assert group_of(reading(1, length=20, limit=4)).utilization == 4.0


def test_a_group_without_a_socket_has_no_sums() -> None:
    group = group_of(reading(1, length=3))
    group.close(1)
    assert present(group) == (None, None, None)
    assert not group.members


def test_without_a_limit_there_is_no_utilization() -> None:
    """/proc/net shows how many connections wait, and not the backlog."""
    assert present(group_of(reading(1, length=3, limit=None))) == (3, None, None)


@given(
    st.dictionaries(st.integers(1, 5), st.tuples(COUNTS, COUNTS), min_size=1),
    st.lists(
        st.tuples(st.sampled_from(["open", "update", "close"]), st.integers(1, 5), COUNTS, COUNTS),
        max_size=12,
    ),
)
def test_the_sums_are_those_of_the_present_sockets(
    start: dict[int, tuple[int | None, int | None]],
    steps: list[tuple[str, int, int | None, int | None]],
) -> None:
    """Whatever opened, changed and closed before."""
    sockets = {cookie: QueueReading(cookie, *counts, None) for cookie, counts in start.items()}
    group = group_of(*sockets.values())
    for step, cookie, length, limit in steps:
        new = QueueReading(cookie, length, limit, None)
        if step == "open" and cookie not in sockets:
            group.open(tcp(cookie), new)
            sockets[cookie] = new
        elif step == "update" and cookie in sockets:
            group.update(new)
            sockets[cookie] = new
        elif step == "close" and cookie in sockets:
            group.close(cookie)
            del sockets[cookie]
        assert present(group) == added_up(sockets.values())


def test_drops_of_a_socket_count_from_its_creation() -> None:
    """What a socket dropped before the first sample belongs to the group too."""
    group = group_of(reading(1, drops=5))
    assert group.drops == 5


@given(st.integers(0, WRAP - 1), st.lists(st.integers(0, WRAP - 1), max_size=10))
def test_drops_continue_where_32_bits_wrap(first: int, steps: list[int]) -> None:
    group = group_of(reading(1, drops=first))
    total = first
    for step in steps:
        total += step
        group.update(reading(1, drops=total % WRAP))
    assert group.drops == total


def test_drops_are_kept_when_the_service_restarts() -> None:
    group = group_of(reading(1, drops=7))
    group.close(1)
    group.open(tcp(2), reading(2, drops=0))
    group.update(reading(2, drops=3))
    assert group.drops == 10


def test_drops_of_one_socket_of_many_are_added() -> None:
    group = group_of(reading(1, drops=1), reading(2, drops=10))
    group.close(1)
    group.update(reading(2, drops=11))
    assert group.drops == 12


def test_drops_are_none_where_no_method_tells_them() -> None:
    group = group_of(reading(1, drops=None))
    group.update(reading(1, length=2, drops=None))
    assert group.drops is None


def test_drops_are_not_counted_again_after_a_change_to_procfs_and_back() -> None:
    """procfs knows a socket by another number and without drops; then the socket opens with its cookie."""
    group = group_of(reading(1, drops=100), reading(2, drops=0))
    for cookie in (1, 2):
        group.close(cookie)
    for inode in (100, 200):
        group.open(tcp(inode), reading(inode, drops=None))
    assert (group.drops, group.known_drops) == (100, None)
    for inode in (100, 200):
        group.close(inode)
    group.open(tcp(1), reading(1, drops=101))
    group.open(tcp(2), reading(2, drops=1))
    assert (group.drops, group.known_drops) == (102, 102)


def test_the_number_of_closed_sockets_that_are_kept_is_limited() -> None:
    """A service that restarts every second on one port must not fill the memory, and loses no drop."""
    group = group_of()
    for cookie in range(1000):
        group.open(tcp(cookie), reading(cookie, drops=1))
        group.close(cookie)
    assert group.drops == 1000
    assert len(group._closed) <= 256  # noqa: SLF001  (the memory that is used is no part of the interface)


def test_drops_of_a_socket_that_is_released_are_taken_off_the_next_ones() -> None:
    """Whatever it had dropped when it was opened here, and since then: a counter may not go back."""
    group = group_of(reading(1, drops=7))
    group.close(1)
    group.open(tcp(2), reading(2, length=4, drops=3))
    group.open(tcp(3), reading(3, length=1, drops=WRAP - 1))
    group.update(reading(2, length=5, drops=10))
    group.update(reading(3, length=1, drops=1))
    member = group.release(2, named=True)
    assert (member.listener.cookie, member.reading) == (2, reading(2, length=5, drops=10))
    assert (group.drops, group.length) == (7 + 10 + WRAP + 1, 1)
    group.update(reading(3, length=1, drops=5))
    assert group.drops == 7 + 10 + WRAP + 1
    group.update(reading(3, length=1, drops=14))
    assert group.drops == 7 + WRAP + 14


def test_where_no_program_was_known_a_socket_takes_what_it_dropped_along() -> None:
    group = group_of(reading(1, drops=7), reading(2, drops=3))
    group.update(reading(2, drops=10))
    group.release(2, named=False)
    assert group.drops == 7


def test_drops_of_a_socket_count_once_it_is_known_to_belong_to_the_program() -> None:
    group = group_of(reading(1, drops=7))
    group.open(tcp(2), reading(2, drops=3), belongs=False)
    group.update(reading(2, drops=10))
    assert group.drops == 7
    group.confirm(2)
    assert group.drops == 17
    group.update(reading(2, drops=11))
    group.confirm(2)
    assert group.drops == 18
    group.open(tcp(3), reading(3, drops=4), belongs=False)
    group.release(3, named=True)
    assert group.drops == 18
    group.open(tcp(4), reading(4, drops=4), belongs=False)
    group.close(4)
    assert group.drops == 22, "nothing else will be known of it"


@pytest.mark.parametrize(
    ("limits", "bound", "expected"),
    [
        ([9], SynQueueBound(1), 10),
        ([9, 99], SynQueueBound(1), 110),
        ([9, 99], SynQueueBound(0), 108),
        ([9, 99], SynQueueBound(1, 50), 60),
        ([9], SynQueueBound(1, 10), 10),
        ([9], SynQueueBound(0, 10), 9),
        ([0], SynQueueBound(0), 0),
        ([9, None], SynQueueBound(1), None),
    ],
)
def test_syn_recv_limit_is_the_sum_of_what_each_socket_may_have(
    limits: list[int | None], bound: SynQueueBound, expected: int | None
) -> None:
    """And no more than the namespace allows each socket, where it has a limit."""
    group = group_of(*(reading(cookie, limit=limit) for cookie, limit in enumerate(limits)))
    assert group.syn_recv_limit(bound) == expected
