"""Colours of a terminal, and whether they are wanted."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, TextIO

_END: Final = "\x1b[0m"


class Colour(enum.StrEnum):
    """How a text begins that has the colour; of ANSI X3.64, as every terminal of today has them."""

    RED = "\x1b[1;31m"
    YELLOW = "\x1b[1;33m"
    GREEN = "\x1b[32m"
    BOLD = "\x1b[1m"


def painted(text: str, colour: Colour) -> str:
    """Return a text in a colour."""
    return f"{colour}{text}{_END}"


def without(text: str) -> str:
    """Return a text without the colours that `painted` has put into it."""
    for each in (*Colour, _END):
        text = text.replace(each, "")
    return text


def wanted(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Tell whether what is written to a stream may have colours: on a terminal without NO_COLOR.

    NO_COLOR counts unless it is empty (https://no-color.org).
    """
    plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
    return stream.isatty() and not plain
