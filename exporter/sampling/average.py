"""An average over time in which what was measured long ago counts little."""

from __future__ import annotations

from math import exp2


def averaged(average: float, newest: float, passed: float, half_life: float) -> float:
    """Return an average with the `newest` value, which held for `passed` seconds; before it was `average`.

    After `half_life` seconds all that was before counts half, however many values there were since.
    """
    return average + (1 - exp2(-passed / half_life)) * (newest - average)
