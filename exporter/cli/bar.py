"""A bar that shows a share."""

from __future__ import annotations

from typing import Final

# Filled and not, as block elements and in ASCII.
_BLOCKS: Final = ("█", "░")
_ASCII: Final = ("#", ".")


def bar(share: float, width: int, *, blocks: bool) -> str:
    """Return a bar of so many columns. It is full from a share of 1 on, and empty only for a share of 0."""
    filled, empty = _BLOCKS if blocks else _ASCII
    if share <= 0:
        count = 0
    elif share >= 1:
        count = width
    else:
        count = min(max(round(share * width), 1), max(width - 1, 1))
    return filled * count + empty * (width - count)
