"""A listener that one dump lacks is still there, and a dump that fails says nothing of anybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.kernel.errors import KernelError, MalformedReplyError
from exporter.kernel.family import TCP
from exporter.kernel.records import UNCHANGED, Changes
from exporter.kernel.sock_diag.comparison import DumpComparison
from tests.kernel.datagrams import inet_row, tcp_row


@pytest.fixture
def watch() -> DumpComparison:
    return DumpComparison(TCP.rows)


def rows(*cookies: int) -> list[bytes]:
    return [tcp_row(cookie) for cookie in cookies]


def opened(changes: Changes) -> list[int]:
    return [listener.cookie for listener, _ in changes.opened]


def updated(changes: Changes) -> dict[int, int | None]:
    return {reading.cookie: reading.length for reading in changes.updated}


def test_a_listener_is_closed_when_it_is_missing_for_the_second_time(watch: DumpComparison) -> None:
    watch.update(rows(1, 2))
    assert watch.update(rows(1)) == UNCHANGED
    assert watch.known == {1, 2}
    assert watch.update(rows(1)).closed == (2,)
    assert watch.known == {1}
    assert watch.update(rows(1)) is UNCHANGED


def test_the_last_listener_can_close_as_well(watch: DumpComparison) -> None:
    watch.update(rows(1))
    assert watch.update([]) == UNCHANGED
    assert watch.update([]).closed == (1,)
    assert watch.update([]) is UNCHANGED


def test_each_listener_has_its_own_grace(watch: DumpComparison) -> None:
    watch.update(rows(1, 2, 3))
    assert watch.update(rows(2, 3)) == UNCHANGED
    assert watch.update(rows(3)).closed == (1,)
    assert watch.update(rows(3)).closed == (2,)
    assert watch.known == {3}


def test_a_listener_that_was_skipped_once_was_never_away(watch: DumpComparison) -> None:
    watch.update(rows(1, 2))
    for _ in range(3):
        assert watch.update(rows(1)) == UNCHANGED
        changes = watch.update(rows(1, 2))
        assert (changes.opened, changes.closed) == ((), ())
    assert watch.known == {1, 2}


def test_a_listener_that_was_skipped_comes_back_with_what_changed(watch: DumpComparison) -> None:
    watch.update(rows(1, 2))
    watch.update(rows(1))
    changes = watch.update([tcp_row(1), tcp_row(2, length=9)])
    assert (opened(changes), updated(changes), changes.closed) == ([], {2: 9}, ())


def test_a_listener_that_comes_back_after_it_was_closed_is_a_new_one(watch: DumpComparison) -> None:
    watch.update(rows(1, 2))
    watch.update(rows(1))
    watch.update(rows(1))
    assert opened(watch.update(rows(1, 2))) == [2]


def broken(*good: bytes) -> Iterator[bytes]:
    yield from good
    raise KernelError("sock_diag dump failed", "ENOMEM")


def test_of_a_dump_that_fails_half_way_nothing_is_believed(watch: DumpComparison) -> None:
    watch.update(rows(1, 2))
    for _ in range(3):
        with pytest.raises(KernelError):
            watch.update(broken(tcp_row(1, length=9), tcp_row(3)))
    assert watch.update(rows(1, 2)) is UNCHANGED
    changes = watch.update([tcp_row(1, length=9), tcp_row(2), tcp_row(3)])
    assert (opened(changes), updated(changes)) == ([3], {1: 9})


def test_a_dump_that_fails_does_not_use_up_the_grace(watch: DumpComparison) -> None:
    watch.update(rows(1, 2))
    watch.update(rows(1))
    for _ in range(3):
        with pytest.raises(KernelError):
            watch.update(broken(tcp_row(1)))
    assert watch.known == {1, 2}
    assert watch.update(rows(1)).closed == (2,)


@pytest.mark.parametrize("fault", [b"\xff" * 20, tcp_row(3)[:-1], inet_row(3, state=1), bytes(15)])
def test_of_a_dump_with_a_malformed_row_nothing_is_believed(watch: DumpComparison, fault: bytes) -> None:
    watch.update(rows(1, 2))
    for _ in range(2):
        with pytest.raises(MalformedReplyError):
            watch.update([tcp_row(1, length=9), fault])
    assert watch.known == {1, 2}
    assert watch.update(rows(1, 2)) is UNCHANGED
