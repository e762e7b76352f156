"""A listener that one dump lacks is still open, and a dump that fails changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.kernel.errors import KernelError, MalformedReplyError
from exporter.kernel.family import TCP
from exporter.kernel.records import UNCHANGED, Changes
from exporter.kernel.sock_diag.comparison import DumpComparison
from tests.kernel.datagrams import inet_row, tcp_row
from tests.kernel.fake_interfaces import FakeInterfaces


@pytest.fixture
def comparison() -> DumpComparison:
    return DumpComparison(TCP.rows, FakeInterfaces())


def rows(*cookies: int) -> list[bytes]:
    return [tcp_row(cookie) for cookie in cookies]


def opened(changes: Changes) -> list[int]:
    return [listener.cookie for listener, _ in changes.opened]


def updated(changes: Changes) -> dict[int, int | None]:
    return {reading.cookie: reading.length for reading in changes.updated}


def test_a_listener_is_closed_when_it_is_missing_for_the_second_time(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2))
    assert comparison.update(rows(1)) == UNCHANGED
    assert comparison.known == {1, 2}
    assert comparison.update(rows(1)).closed == (2,)
    assert comparison.known == {1}
    assert comparison.update(rows(1)) is UNCHANGED


def test_the_last_listener_can_close(comparison: DumpComparison) -> None:
    comparison.update(rows(1))
    assert comparison.update([]) == UNCHANGED
    assert comparison.update([]).closed == (1,)
    assert comparison.update([]) is UNCHANGED


def test_each_listener_may_be_missing_once(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2, 3))
    assert comparison.update(rows(2, 3)) == UNCHANGED
    assert comparison.update(rows(3)).closed == (1,)
    assert comparison.update(rows(3)).closed == (2,)
    assert comparison.known == {3}


def test_a_listener_that_one_dump_skipped_was_never_closed(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2))
    for _ in range(3):
        assert comparison.update(rows(1)) == UNCHANGED
        changes = comparison.update(rows(1, 2))
        assert (changes.opened, changes.closed) == ((), ())
    assert comparison.known == {1, 2}


def test_a_listener_that_one_dump_skipped_is_updated_by_the_next(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2))
    comparison.update(rows(1))
    changes = comparison.update([tcp_row(1), tcp_row(2, length=9)])
    assert (opened(changes), updated(changes), changes.closed) == ([], {2: 9}, ())


def test_a_listener_that_appears_after_it_was_closed_is_opened_again(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2))
    comparison.update(rows(1))
    comparison.update(rows(1))
    assert opened(comparison.update(rows(1, 2))) == [2]


def broken(*good: bytes) -> Iterator[bytes]:
    yield from good
    raise KernelError("sock_diag dump failed", "ENOMEM")


def test_nothing_is_kept_of_a_dump_that_fails_before_its_end(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2))
    for _ in range(3):
        with pytest.raises(KernelError):
            comparison.update(broken(tcp_row(1, length=9), tcp_row(3)))
    assert comparison.update(rows(1, 2)) is UNCHANGED
    changes = comparison.update([tcp_row(1, length=9), tcp_row(2), tcp_row(3)])
    assert (opened(changes), updated(changes)) == ([3], {1: 9})


def test_a_dump_that_fails_does_not_count_as_one_that_lacks_a_listener(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2))
    comparison.update(rows(1))
    for _ in range(3):
        with pytest.raises(KernelError):
            comparison.update(broken(tcp_row(1)))
    assert comparison.known == {1, 2}
    assert comparison.update(rows(1)).closed == (2,)


@pytest.mark.parametrize("fault", [b"\xff" * 20, tcp_row(3)[:-1], inet_row(3, state=1), bytes(15)])
def test_nothing_is_kept_of_a_dump_with_a_malformed_row(comparison: DumpComparison, fault: bytes) -> None:
    comparison.update(rows(1, 2))
    for _ in range(2):
        with pytest.raises(MalformedReplyError):
            comparison.update([tcp_row(1, length=9), fault])
    assert comparison.known == {1, 2}
    assert comparison.update(rows(1, 2)) is UNCHANGED
