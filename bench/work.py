"""Work that is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nothing() -> None:
    pass


def _no_time() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """What is done once in each repetition, and what is done before it outside of what is measured.

    `do` returns a number that the report may want: bytes, rows, series. `elsewhere` tells the seconds
    of processor time that other processes have used for it so far.
    """

    do: Callable[[], int]
    prepare: Callable[[], object] = _nothing
    elsewhere: Callable[[], float] = _no_time
