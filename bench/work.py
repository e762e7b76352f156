"""Work that is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Work:
    """What is done once in each repetition, and what is done before it outside of what is measured.

    `do` returns a number that the report may want: bytes, rows, series.
    """

    do: Callable[[], int]
    prepare: Callable[[], object] = _nothing
