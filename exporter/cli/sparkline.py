"""How a share went, as a line of bars."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

# As block elements, and in ASCII with as many steps.
BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:-=+*%#"


def sparkline(shares: Iterable[float], *, blocks: bool = True) -> str:
    """Return a bar for each share: blank for 0 only, and the highest from 1 on."""
    bars = BLOCKS if blocks else _ASCII
    return "".join(bars[math.ceil(min(max(share, 0.0), 1.0) * (len(bars) - 1))] for share in shares)
