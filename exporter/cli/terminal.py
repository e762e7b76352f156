"""What the terminal can show that the standard output goes to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self, TextIO

from exporter.cli import colour, table

# The width that terminals begin with, where one does not tell its own.
_COLUMNS: Final = 80
_BLOCK: Final = "█"
# The last character of Unicode.
_LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Terminal:
    """`width` is that of a line in columns, None where it has no end: a pipe or a file.

    `blocks` tells whether bars may be drawn with block elements (U+2588), which a program that reads the
    output may not know. `encoding` is None where it can carry every character.
    """

    width: int | None = None
    colours: bool = False
    blocks: bool = False
    encoding: str | None = None

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str]) -> Self:
        """Return what a stream can show. COLUMNS is the width of a terminal where it is set."""
        encoding = _lacking(stream.encoding)
        if not stream.isatty():
            return cls(encoding=encoding)
        width = _columns(stream, environment)
        blocks = table.carried(_BLOCK, encoding) == _BLOCK
        return cls(width, colour.wanted(stream, environment), blocks, encoding)

    def carried(self, text: str) -> str:
        r"""Return a text in which what the encoding lacks is bytes as in `\xe6`, which changes its width."""
        return table.carried(text, self.encoding)


def _columns(stream: TextIO, environment: Mapping[str, str]) -> int:
    with suppress(ValueError):
        if (given := int(environment.get("COLUMNS", ""))) > 0:
            return given
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    return _COLUMNS


def _lacking(encoding: str | None) -> str | None:
    """Return an encoding that lacks characters, None for one that has all of Unicode, or a text in memory."""
    if encoding is None:
        return None
    try:
        _LAST.encode(encoding)
    except UnicodeEncodeError:
        return encoding
    except LookupError:
        return "ascii"
    return None
