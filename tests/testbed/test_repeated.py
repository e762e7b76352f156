"""Work of another thread beside a block."""

from __future__ import annotations

import threading

import pytest

from testbed.repeated import repeated
from testbed.waiting import until


def test_it_goes_on_until_the_end_of_the_block_and_no_further() -> None:
    threads: list[int] = []
    with repeated(lambda: threads.append(threading.get_ident())):
        until(lambda: len(threads) > 3, bool)
    assert threading.get_ident() not in threads
    assert set(threads).isdisjoint(thread.ident for thread in threading.enumerate())


def test_an_error_ends_it_and_is_raised_at_the_end_of_the_block() -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise ValueError("of the thread")

    with pytest.raises(ValueError, match="of the thread"), repeated(fail):
        until(lambda: len(calls), bool)
    assert len(calls) == 1


def test_what_the_block_raises_comes_first_and_ends_it_too() -> None:
    before = threading.active_count()
    with pytest.raises(KeyError), repeated(lambda: None, pause_seconds=0.01):
        raise KeyError
    assert threading.active_count() == before
