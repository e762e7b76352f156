"""What the terminal can show that the standard output goes to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self, TextIO

from exporter.cli import colour

# The width that terminals begin with, where one does not tell its own.
_COLUMNS: Final = 80


@dataclass(frozen=True, slots=True)
class Terminal:
    """`width` is that of a line in columns, None where it has no end: a pipe or a file.

    `blocks` tells whether bars may be drawn with block elements (U+2588), which a program that reads the
    output may not know.
    """

    width: int | None = None
    colours: bool = False
    blocks: bool = False

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str]) -> Self:
        """Return what a stream can show. COLUMNS is the width of a terminal where it is set."""
        if not stream.isatty():
            return cls()
        width = _columns(stream, environment)
        return cls(width, colour.wanted(stream, environment), _has_blocks(stream.encoding))


def _columns(stream: TextIO, environment: Mapping[str, str]) -> int:
    with suppress(ValueError):
        if (given := int(environment.get("COLUMNS", ""))) > 0:
            return given
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    return _COLUMNS


def _has_blocks(encoding: str | None) -> bool:
    try:
        "█".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
