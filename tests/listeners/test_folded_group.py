"""Several listeners as one group."""

from __future__ import annotations

import pytest

from exporter.listeners.folded_group import FoldedGroup, folded_key
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import ListenerKey, key_of
from tests.listeners.sockets import reading, tcp


def listener(cookie: int, length: int = 0, limit: int = 9, drops: int | None = 0) -> ListenerGroup:
    """A listener with one socket, on a port of its own."""
    socket = tcp(cookie, port=30_000 + cookie)
    group = ListenerGroup(key_of(socket, "host", "tcp"))
    group.open(socket, reading(cookie, length, limit, drops))
    return group


@pytest.fixture
def folded() -> FoldedGroup:
    return FoldedGroup(folded_key(listener(1).key))


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        (ListenerKey("host", "tcp", "::1", "30001"), ListenerKey("host", "tcp", "::1", "*")),
        (ListenerKey("shop", "unix", "/run/app-17.sock", ""), ListenerKey("shop", "unix", "*", "")),
        (ListenerKey("shop", "unix", "@app-17", ""), ListenerKey("shop", "unix", "*", "")),
    ],
)
def test_the_port_or_the_name_is_any(key: ListenerKey, wanted: ListenerKey) -> None:
    assert folded_key(key) == wanted


def test_figures_are_sums_and_the_fullest(folded: FoldedGroup) -> None:
    for group in (listener(1, 3, 9, 2), listener(2, 4, 4, 5)):
        folded.take(group)
    assert (folded.length, folded.limit, folded.utilization) == (7, 13, 0.8)
    assert (folded.drops, len(folded.members)) == (7, 2)


def test_what_changes_in_a_listener_changes_here(folded: FoldedGroup) -> None:
    first, second = listener(1), listener(2)
    for group in (first, second):
        folded.take(group)
    first.update(reading(1, 8, 9, 3))
    first.open(tcp(3, port=30_001), reading(3, 1, 9, 0))
    folded.take(first)
    assert (folded.length, folded.limit, folded.drops) == (9, 27, 3)
    second.close(2)
    folded.take(second)
    assert (folded.length, folded.limit, folded.drops) == (9, 18, 3)


def test_drops_stay_counted_when_listeners_close_and_are_counted_once(folded: FoldedGroup) -> None:
    for cookie in range(1, 6):
        group = listener(cookie, drops=0)
        folded.take(group)
        group.update(reading(cookie, drops=2))
        folded.take(group)
        group.close(cookie)
        folded.take(group)
        assert (folded.drops, len(folded.members)) == (2 * cookie, 0)


def test_a_listener_that_is_removed_and_taken_again_counts_only_what_is_new(folded: FoldedGroup) -> None:
    group = listener(1, drops=4)
    folded.take(group)
    folded.remove(group)
    assert (folded.drops, len(folded.members)) == (4, 0)
    group.update(reading(1, drops=7))
    folded.take(group)
    assert (folded.drops, len(folded.members)) == (7, 1)


def test_the_listener_itself_is_left_as_it_is(folded: FoldedGroup) -> None:
    group = listener(1, 3)
    folded.take(group)
    folded.remove(group)
    assert (group.length, len(group.members)) == (3, 1)
