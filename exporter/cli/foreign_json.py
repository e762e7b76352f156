"""JSON that comes from another host, and may be anything."""

from __future__ import annotations

import json
from typing import Any, Final, Never

# The documents of an exporter have six levels. What is much deeper cannot be written again either, as the
# encoder calls itself for each level.
_MAX_DEPTH: Final = 32
# No figure of an exporter is larger: counters have 64 bits.
_MAX_NUMBER: Final = float(2**64)


def parsed(body: bytes) -> Any:
    """Return what the text says. Raises ValueError where it is no JSON (RFC 8259), or nested too deep."""
    try:
        found = json.loads(body, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    level = [found]
    for _ in range(_MAX_DEPTH):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return found
    raise ValueError("nested too deep")


def number(value: object) -> float | None:
    """Return a value where it is a number that a float holds; JSON has whole numbers of any length."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if abs(value) <= _MAX_NUMBER else None


def _inside(value: object) -> list[Any]:
    """Return the lists and objects in a value."""
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return [each for each in inner if isinstance(each, list | dict)]


def _refuse(name: str) -> Never:
    # NaN and Infinity, which Python would read.
    raise ValueError(f"{name} is no number of JSON")
