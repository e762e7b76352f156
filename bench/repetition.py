"""One repetition of what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nothing() -> None:
    pass


def _no_seconds() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Repetition:
    """What is measured, and what is done before it without being measured.

    `run` returns a number for the case: of bytes, rows or lines. `other_cpu_seconds` returns the processor
    time that other processes have used for it so far.
    """

    run: Callable[[], int]
    prepare: Callable[[], object] = _nothing
    other_cpu_seconds: Callable[[], float] = _no_seconds
