"""The highest value seen in a window of time, in memory that does not grow with the samples."""

from __future__ import annotations

from collections import deque

# A window is remembered in this many slots, so a peak leaves at most one slot late.
_SLOTS = 120


class PeakWindow:
    """The highest of the values that were held in the last `window` seconds.

    Only a fall has to be noted: a value that is followed by a higher one can never be the peak
    again. What is kept falls from left to right, so the first that is young enough is the answer.
    """

    __slots__ = ("_falls", "window")

    def __init__(self, window: float) -> None:
        """Remember for `window` seconds."""
        self.window = window
        self._falls: deque[tuple[float, float]] = deque()

    def fall(self, value: float, seen: float) -> None:
        """Note that `value` was sampled at `seen` for the last time and a lower one followed."""
        falls = self._falls
        while falls and falls[-1][1] <= value:
            falls.pop()
        slot = self.window / _SLOTS
        if falls and seen // slot == falls[-1][0] // slot:
            falls[-1] = (seen, falls[-1][1])
        else:
            falls.append((seen, value))
        while falls and falls[0][0] < seen - self.window:
            falls.popleft()

    def settled(self) -> bool:
        """Tell whether the peak is the value held now, whatever the time."""
        return not self._falls

    def highest(self, current: float, now: float) -> float:
        """Return the peak, given the value held at `now`."""
        oldest = now - self.window
        falls = self._falls
        while falls and falls[0][0] < oldest:
            falls.popleft()
        return max(current, falls[0][1]) if falls else current
