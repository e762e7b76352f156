"""Lines that are broken between words so that they fit into the columns of a terminal."""

from __future__ import annotations

import textwrap
from typing import Final

from exporter.cli import table

# textwrap counts characters. This one stands behind each that takes two columns; it is for private use, so
# that no text that may be printed has it.
_FILLER: Final = "\ue000"


def wrapped(text: str, columns: int, first: str = "", following: str = "") -> str:
    """Return printable text in lines of so many columns; they begin with `first`, and others as told.

    A word is broken only where it is longer than a line.
    """
    filled = "".join(each + _FILLER * (table.width(each) - 1) for each in text)
    # Where a word is broken, a character may be parted from what stands behind it.
    width = columns - (_FILLER in filled)
    wrapper = textwrap.TextWrapper(
        max(width, len(following) + 2),
        initial_indent=first,
        subsequent_indent=following,
        break_on_hyphens=False,
    )
    return wrapper.fill(filled).replace(_FILLER, "")
