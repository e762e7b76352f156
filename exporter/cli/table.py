"""Tables for a terminal, in which no cell can be taken for another one."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

import exporter.endpoint

# What is longer is cut, so that one name does not push the figures of all rows away.
MAX_NAME_WIDTH: Final = 64
_CUT: Final = "..."
# Of what is left of a name that is cut, so much is its beginning; the end of a path tells most.
_HEAD: Final = 0.4
# A name that is cut to less says nothing.
_LEAST_NAME: Final = 8
NOTHING: Final = "-"


def name(text: str) -> str:
    r"""Return a name as a cell.

    It is in double quotes where it has blanks or quotes, or would read as the sign for nothing. Characters
    that cannot be printed are bytes as in `\x1b`, and so is a quote. A long name lacks its middle.
    """
    shown = cut("".join(map(_escaped, text)), MAX_NAME_WIDTH)
    quoted = text in ("", NOTHING) or " " in text or '"' in text
    return f'"{shown}"' if quoted else shown


def printable(text: str) -> str:
    r"""Return a text in which characters that cannot be printed are bytes as in `\x1b`."""
    return "".join(each if each.isprintable() else _bytes(each) for each in text)


def carried(text: str, encoding: str | None) -> str:
    r"""Return a text in which characters that an encoding lacks are bytes as in `\xe6`; None lacks none."""
    if encoding is None or _carries(encoding, text):
        return text
    return "".join(each if _carries(encoding, each) else _bytes(each) for each in text)


def endpoint(address: str, port: str) -> str:
    """Return where a listener is as a cell: a name alone, or an address and its port, as in `[::1]:80`."""
    # The port may come from another host, as the address.
    return exporter.endpoint.endpoint(name(address), name(port) if port else "")


def table(rows: Sequence[Sequence[str]], left: int, limit: int | None = None) -> str:
    """Return lines of cells in columns: the first `left` begin, and the others end, below each other.

    Where they are wider than `limit`, there is less between them, and at last the first column is cut.
    """
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    gap = 2
    if limit is not None:
        gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= limit else 1
        excess = sum(widths) + gap * (len(widths) - 1) - limit
        widths[0] = min(widths[0], max(widths[0] - excess, _LEAST_NAME))
    return "\n".join(_line((cut(row[0], widths[0]), *row[1:]), widths, left, gap) for row in rows)


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes (Unicode Standard Annex 11)."""
    return sum(map(_width, text))


def padded(text: str, columns: int, *, left: bool) -> str:
    """Return a text with blanks at its right, or at its left, so that it takes so many columns."""
    blanks = " " * (columns - width(text))
    return text + blanks if left else blanks + text


def cut(text: str, limit: int) -> str:
    """Return a text without its middle where it takes more than so many columns."""
    if width(text) <= limit:
        return text
    available = limit - len(_CUT)
    head = _beginning(text, int(available * _HEAD))
    tail = _beginning(text[::-1], available - width(head))[::-1]
    return head + _CUT + tail


def _line(row: Sequence[str], widths: Sequence[int], left: int, gap: int) -> str:
    cells = zip(row, widths, strict=True)
    return (
        (" " * gap)
        .join(padded(text, wanted, left=column < left) for column, (text, wanted) in enumerate(cells))
        .rstrip()
    )


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _carries(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    if character.isprintable() and character != '"':
        return character
    return _bytes(character)


def _bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", errors="surrogateescape"))


def _beginning(text: str, limit: int) -> str:
    """Return as many characters from the beginning as fit."""
    used = 0
    for index, character in enumerate(text):
        used += _width(character)
        if used > limit:
            return text[:index]
    return text
