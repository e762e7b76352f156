"""What the terminal can show that the standard output goes to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self, TextIO

from exporter.cli import colour

# Of the size that terminals begin with, where one does not tell its own.
_SIZE: Final = (80, 24)


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
        """Return what the standard output can show. COLUMNS is the width of a terminal where it is set."""
        if not stream.isatty():
            return cls()
        width = shutil.get_terminal_size(_SIZE).columns
        return cls(width, colour.wanted(stream, environment), _has_blocks(stream.encoding))


def _has_blocks(encoding: str | None) -> bool:
    try:
        "█".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
