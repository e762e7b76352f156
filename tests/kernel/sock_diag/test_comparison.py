"""What a watch says of a dump that came after another: nothing where nothing changed, each change once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import pytest

from exporter.kernel.family import TCP, UNIX
from exporter.kernel.records import UNCHANGED, Changes, QueueReading
from exporter.kernel.sock_diag.comparison import DumpComparison, RowDecoder
from tests.kernel import recordings
from tests.kernel.datagrams import datagram, inet_row, tcp_row, unix_row

Part = TypeVar("Part")


class Counting:
    """The TCP decoder, and how often each of its parts was asked."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.decoder = RowDecoder(
            cookie=self._counted("cookie", TCP.rows.cookie),
            listener=self._counted("listener", TCP.rows.listener),
            reading=self._counted("reading", TCP.rows.reading),
        )

    def _counted(self, part: str, decode: Callable[[bytes], Part]) -> Callable[[bytes], Part]:
        def counted(row: bytes) -> Part:
            self.calls[part] += 1
            return decode(row)

        return counted


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def watch(counting: Counting) -> DumpComparison:
    return DumpComparison(counting.decoder)


def rows(*cookies: int) -> list[bytes]:
    return [tcp_row(cookie) for cookie in cookies]


def opened(changes: Changes) -> list[int]:
    return [listener.cookie for listener, _ in changes.opened]


def updated(changes: Changes) -> dict[int, int | None]:
    assert len({reading.cookie for reading in changes.updated}) == len(changes.updated)
    return {reading.cookie: reading.length for reading in changes.updated}


def test_the_first_dump_opens_every_listener_with_its_reading(watch: DumpComparison) -> None:
    changes = watch.update([tcp_row(1, length=5, drops=7), datagram(rows(2, 3))])
    assert opened(changes) == [1, 2, 3]
    assert changes.opened[0][1] == QueueReading(1, 5, 128, 7)
    assert (changes.updated, changes.closed) == ((), ())
    assert watch.known == {1, 2, 3}


def test_a_first_dump_of_nothing_is_no_change(watch: DumpComparison) -> None:
    assert watch.update([]) is UNCHANGED


@pytest.mark.parametrize(
    ("name", "decoder"),
    [("tcp_listeners", TCP.rows), ("tcp_listeners_many", TCP.rows), ("unix_listeners", UNIX.rows)],
)
def test_a_recorded_dump_that_comes_again_is_no_change(name: str, decoder: RowDecoder) -> None:
    datagrams = recordings.load(name).datagrams[:-1]
    watch = DumpComparison(decoder)
    assert len(watch.update(datagrams).opened) == len(watch.known) > 0
    assert watch.update(iter(datagrams)) is UNCHANGED


def test_an_unchanged_dump_is_not_decoded(watch: DumpComparison, counting: Counting) -> None:
    dump = [datagram(rows(1, 2)), datagram(rows(3))]
    watch.update(dump)
    counting.calls.clear()
    for _ in range(3):
        assert watch.update(list(dump)) is UNCHANGED
    assert counting.calls == {}


def test_of_a_changed_dump_only_the_changed_rows_are_decoded(
    watch: DumpComparison, counting: Counting
) -> None:
    watch.update([datagram(rows(*range(1, 100))), datagram(rows(*range(100, 200)))])
    counting.calls.clear()
    changed = [tcp_row(cookie, length=cookie == 150) for cookie in range(100, 200)]
    changes = watch.update([datagram(rows(*range(1, 100))), datagram(changed)])
    assert updated(changes) == {150: 1}
    assert (changes.opened, changes.closed) == ((), ())
    assert counting.calls["reading"] == 1
    assert counting.calls["listener"] == 0


def test_a_drop_alone_is_a_change(watch: DumpComparison) -> None:
    watch.update(rows(1, 2))
    assert watch.update([tcp_row(1), tcp_row(2, drops=1)]).updated == (QueueReading(2, 0, 128, 1),)


def test_rows_that_shift_are_no_change(watch: DumpComparison, counting: Counting) -> None:
    """A listener that opens at the front moves every row behind it, across the ends of datagrams."""
    watch.update([datagram(rows(1, 2, 3)), datagram(rows(4, 5))])
    counting.calls.clear()
    changes = watch.update([datagram(rows(9, 1, 2)), datagram(rows(3, 4)), datagram(rows(5))])
    assert opened(changes) == [9]
    assert (changes.updated, changes.closed) == ((), ())
    assert counting.calls["reading"] == 1
    assert counting.calls["listener"] == 1


@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1], [2, 3, 4, 5, 1], [1, 5, 3, 4, 2]])
def test_another_order_is_no_change(watch: DumpComparison, order: list[int]) -> None:
    watch.update([datagram(rows(1, 2, 3, 4, 5))])
    changes = watch.update([datagram(rows(*order))])
    assert changes == UNCHANGED


def test_a_row_that_shifts_and_changes_is_one_change(watch: DumpComparison) -> None:
    watch.update([datagram(rows(1, 2, 3))])
    changes = watch.update([datagram([tcp_row(9), tcp_row(1), tcp_row(2, length=4), tcp_row(3)])])
    assert (opened(changes), updated(changes), changes.closed) == ([9], {2: 4}, ())


def test_rows_of_different_lengths_may_change_places(watch: DumpComparison) -> None:
    short, long = inet_row(1), tcp_row(2, address="::1")
    watch.update([datagram([short, long, short])])
    assert watch.update([datagram([long, short])]) == UNCHANGED
    assert watch.known == {1, 2}


def test_a_row_that_is_repeated_is_one_listener(watch: DumpComparison) -> None:
    """When it stops, the same reading may be told once more, and no more than that."""
    assert opened(watch.update([datagram(rows(1, 1)), datagram(rows(2, 1))])) == [1, 2]
    changes = watch.update(rows(1, 2))
    assert (opened(changes), updated(changes), changes.closed) in [([], {}, ()), ([], {1: 0}, ())]
    assert watch.update(rows(1, 2)) is UNCHANGED


def test_a_row_that_begins_to_be_repeated_changes_nothing(watch: DumpComparison) -> None:
    watch.update(rows(1, 2))
    changes = watch.update(rows(1, 2, 1))
    assert (opened(changes), updated(changes).get(1, 0), changes.closed) == ([], 0, ())


def test_of_a_row_that_is_repeated_with_another_reading_the_last_counts(watch: DumpComparison) -> None:
    first = watch.update([tcp_row(1, length=1), tcp_row(1, length=2)])
    assert [reading.length for _, reading in first.opened] == [2]
    again = watch.update([tcp_row(1, length=3), tcp_row(2), tcp_row(1, length=4)])
    assert updated(again) == {1: 4}


def test_the_place_that_a_repeated_row_leaves_does_not_take_the_listener_along(
    watch: DumpComparison,
) -> None:
    watch.update([tcp_row(1, length=1), tcp_row(2), tcp_row(1, length=2)])
    changes = watch.update([tcp_row(1, length=1), tcp_row(2)])
    assert (updated(changes), changes.closed) == ({1: 1}, ())
    assert watch.update([tcp_row(1, length=1), tcp_row(2)]) is UNCHANGED


def test_unix_listeners_are_watched_the_same_way() -> None:
    watch = DumpComparison(UNIX.rows)
    assert opened(watch.update([unix_row(1), unix_row(2)])) == [1, 2]
    assert updated(watch.update([unix_row(1, length=3), unix_row(2)])) == {1: 3}
    assert watch.update([unix_row(1, length=3)]) == UNCHANGED
    assert watch.update([unix_row(1, length=3)]).closed == (2,)
