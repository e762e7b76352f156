"""Waiting for the next tick: it ends with the time, with a descriptor, or because it was stopped."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from exporter.sampling.waiting import Waiting
from testbed.waiting import DEADLINE_SECONDS

SHORT_SECONDS = 0.05


@pytest.fixture
def descriptor() -> Iterator[int]:
    """One that is not readable until a test writes to it."""
    descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    yield descriptor
    os.close(descriptor)


def descriptors() -> set[int]:
    """Those that this process has open, without that of the listing itself."""
    # What earlier tests left to the garbage collector must not be closed between two listings.
    gc.collect()
    return {number for number in map(int, os.listdir("/proc/self/fd")) if _is_open(number)}  # noqa: PTH208


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def seconds_of(waiting: Waiting, seconds: float) -> tuple[float, bool]:
    """How long it waited, and whether it was stopped."""
    started = time.monotonic()
    stopped = waiting.wait(seconds)
    return time.monotonic() - started, stopped


@pytest.mark.parametrize("seconds", [0.0, 0.0004, SHORT_SECONDS])
def test_it_waits_for_as_long_as_it_is_told(seconds: float) -> None:
    """And no shorter: a tick that comes too early finds nothing due and waits again."""
    passed, stopped = seconds_of(Waiting(), seconds)
    assert passed >= seconds
    assert not stopped


def test_another_thread_ends_the_wait() -> None:
    waiting = Waiting()
    timer = threading.Timer(SHORT_SECONDS, waiting.stop)
    timer.start()
    passed, stopped = seconds_of(waiting, DEADLINE_SECONDS)
    timer.join()
    assert stopped
    assert passed < DEADLINE_SECONDS / 2


def test_once_stopped_every_later_wait_ends_at_once() -> None:
    """Also where it was stopped before it waited at all, and twice."""
    waiting = Waiting()
    waiting.stop()
    waiting.stop()
    for _ in range(3):
        passed, stopped = seconds_of(waiting, DEADLINE_SECONDS)
        assert stopped
        assert passed < DEADLINE_SECONDS / 2


def test_a_readable_descriptor_ends_the_wait_as_long_as_it_is_readable(descriptor: int) -> None:
    waiting = Waiting(descriptor)
    os.eventfd_write(descriptor, 1)
    for _ in range(2):
        passed, stopped = seconds_of(waiting, DEADLINE_SECONDS)
        assert not stopped
        assert passed < DEADLINE_SECONDS / 2
    os.eventfd_read(descriptor)
    passed, stopped = seconds_of(waiting, SHORT_SECONDS)
    assert passed >= SHORT_SECONDS
    assert not stopped


def test_stopped_while_a_descriptor_is_readable_it_is_stopped(descriptor: int) -> None:
    waiting = Waiting(descriptor)
    os.eventfd_write(descriptor, 1)
    waiting.stop()
    assert waiting.wait(DEADLINE_SECONDS)


def opened_by(make: Callable[[], Waiting]) -> tuple[Waiting, set[int]]:
    """One that was made, and the descriptors that were opened for it."""
    before = descriptors()
    return make(), descriptors() - before


def test_what_was_opened_is_closed_and_nothing_else(descriptor: int) -> None:
    """Others go on using what they handed in."""
    before = descriptors()
    waiting, opened = opened_by(lambda: Waiting(descriptor))
    assert opened
    del waiting
    assert descriptors() == before


def test_no_other_program_inherits_what_is_opened() -> None:
    waiting, opened = opened_by(Waiting)
    assert {os.get_inheritable(each) for each in opened} == {False}
    assert not waiting.wait(0.0)
