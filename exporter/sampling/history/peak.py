"""The highest value sampled in a window of time, in memory that does not grow with the samples."""

from __future__ import annotations

from collections import deque

# The window is divided into this many slots, so a peak expires at most one slot late.
_SLOTS = 120


class PeakWindow:
    """The highest of the values that were held in the last seconds.

    Only a value that a lower one follows has to be noted: one that is followed by a higher one can never be
    the peak again. What is kept falls from left to right, so the first that is young enough is the peak.
    """

    __slots__ = ("_past", "_window")

    def __init__(self, window: float) -> None:
        """Remember for `window` seconds."""
        self._window = window
        self._past: deque[tuple[float, float]] = deque()

    def set_window(self, window: float) -> None:
        """Remember for `window` seconds from now on."""
        self._window = window

    def add(self, value: float, seen: float) -> None:
        """Note that `value` was sampled at `seen` for the last time and a lower one followed."""
        past = self._past
        while past and past[-1][1] <= value:
            past.pop()
        slot = self._window / _SLOTS
        if past and seen // slot == past[-1][0] // slot:
            past[-1] = (seen, past[-1][1])
        else:
            past.append((seen, value))
        while past and past[0][0] < seen - self._window:
            past.popleft()

    def time_invariant(self) -> bool:
        """Tell whether the peak is the value held now, whatever the time."""
        return not self._past

    def highest(self, current: float, now: float) -> float:
        """Return the peak, given the value held at `now`."""
        oldest = now - self._window
        past = self._past
        while past and past[0][0] < oldest:
            past.popleft()
        return max(current, past[0][1]) if past else current
