"""Waiting for what another process, thread or scrape has yet to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

# What coverage sets for programs that are started (`patch` in pyproject.toml).
MEASURED_BY = "COVERAGE_PROCESS_CONFIG"


def _deadline_seconds() -> float:
    """Return what is long enough for a machine whose cores are busy with something else, or emulated."""
    return 300.0 if "IN_MACHINE" in os.environ else 90.0


DEADLINE_SECONDS = _deadline_seconds()
_PAUSE_SECONDS = 0.03

Value = TypeVar("Value")


def until(
    read: Callable[[], Value],
    condition: Callable[[Value], bool],
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Value:
    """Read until the condition holds and return that value; the deadline fails the test with the last one."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        value = read()
        if condition(value):
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"still {value!r} after {deadline_seconds:g} s")
        time.sleep(_PAUSE_SECONDS)


def equals(wanted: object) -> Callable[[object], bool]:
    """A condition for `until`."""
    return lambda value: value == wanted


def until_equal(
    read: Callable[[], Value],
    read_reference: Callable[[], Value],
    condition: Callable[[Value], bool] = lambda _: True,
) -> Value:
    """Read until the value is that of the reference before and after it, and the condition holds for it.

    At the deadline the test fails with the difference.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        before, value, after = read_reference(), read(), read_reference()
        if value == before == after and condition(value):
            return value
        if time.monotonic() > deadline:
            assert value == after
            pytest.fail(f"{value!r} is not as wanted, or changed all the time, for {DEADLINE_SECONDS:g} s")
        time.sleep(_PAUSE_SECONDS)
