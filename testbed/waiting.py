"""Waiting for what must come, instead of sleeping for as long as it usually takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

DEADLINE_SECONDS = 20.0
_PAUSE_SECONDS = 0.03

Found = TypeVar("Found")


def until(
    found: Callable[[], Found], right: Callable[[Found], bool], deadline_seconds: float = DEADLINE_SECONDS
) -> Found:
    """Ask until the answer is right, and return it; fails the test with the last answer at the deadline."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        answer = found()
        if right(answer):
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"still {answer!r} after {deadline_seconds:g} s")
        time.sleep(_PAUSE_SECONDS)


def equals(wanted: object) -> Callable[[object], bool]:
    """A condition for `until`."""
    return lambda found: found == wanted


def until_equal(found: Callable[[], Found], wanted: Callable[[], Found]) -> Found:
    """Ask both until they agree in one moment; fails the test with their difference at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        before, answer, after = wanted(), found(), wanted()
        if answer == before == after:
            return answer
        if time.monotonic() > deadline:
            assert answer == after
            pytest.fail(f"{after!r} never stood still for {DEADLINE_SECONDS:g} s")
        time.sleep(_PAUSE_SECONDS)
