"""Values as text, with their units."""

from __future__ import annotations

import enum
from typing import Final

_MEGABYTE: Final = 1e6
# From here on three digits say less than all of them.
_WHOLE: Final = 100


class Unit(enum.Enum):
    """The unit of a value, and how it is written."""

    RATIO = enum.auto()
    SHARE = enum.auto()
    SECONDS = enum.auto()
    BYTES = enum.auto()
    COUNT = enum.auto()

    def format(self, value: float) -> str:
        """Write a value with three digits and its unit."""
        match self:
            case Unit.RATIO:
                return f"{value:.3g}"
            case Unit.SHARE:
                return f"{value * 100:.3g} %"
            case Unit.BYTES:
                return f"{value / _MEGABYTE:.3g} MB"
            case Unit.COUNT:
                return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"
            case Unit.SECONDS:
                return format_seconds(value)


def format_seconds(value: float) -> str:
    """Write a time in s, ms or us, whichever gives at least 1."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e6:.3g} us"
