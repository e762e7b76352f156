"""How a share went, as a line of bars."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

_BARS: Final = " ▁▂▃▄▅▆▇█"


def sparkline(shares: Iterable[float]) -> str:
    """Return a bar for each share: blank for 0 only, and the highest from 1 on."""
    return "".join(_BARS[math.ceil(min(max(share, 0.0), 1.0) * (len(_BARS) - 1))] for share in shares)
