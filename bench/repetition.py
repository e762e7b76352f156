"""One repetition of what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Repetition:
    """What is measured, and what is done before it without being measured.

    `run` returns a number for the case: of bytes, rows or lines.
    """

    run: Callable[[], int]
    prepare: Callable[[], object] = _nothing
