"""Durations as people write them: a number with a unit, as in 500ms, 10s or 1.5h."""

from __future__ import annotations

import re
from typing import Final

# Those of the configuration.
UNIT_MILLISECONDS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_SECONDS: Final = {unit: count / 1000 for unit, count in UNIT_MILLISECONDS.items()} | {"d": 86_400.0}
_DURATION: Final = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?)({'|'.join(_SECONDS)})", re.ASCII)


def seconds(text: str) -> float | None:
    """Return the seconds of a duration in ms, s, m, h or d; None for a text that is none."""
    found = _DURATION.fullmatch(text)
    return float(found[1]) * _SECONDS[found[2]] if found else None
