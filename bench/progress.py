"""A progress bar on standard error: the present case, the time it has taken and the time that remains."""

from __future__ import annotations

import sys
import time

_WIDTH = 30


class Progress:
    """Estimates the remaining time from the expected seconds of each case and the time taken so far.

    Cases run in child processes that inherit this object and write for themselves.
    """

    def __init__(self, expected_seconds: dict[str, float]) -> None:
        """Start at the first case; the names are in the order in which the cases run."""
        self._expected = expected_seconds
        self._done = 0.0
        self._case = ""
        self._started = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def begin(self, case: str) -> None:
        """Begin a case."""
        self._case = case
        self.at(0.0)

    def at(self, share: float) -> None:
        """Show which share of the case is done."""
        now = time.monotonic()
        if self._terminal or share == 0.0:
            self._draw(now, self._done + share * self._expected[self._case])

    def end(self) -> None:
        """End the case."""
        self._done += self._expected[self._case]
        if self._terminal and self._done >= sum(self._expected.values()):
            self._draw(time.monotonic(), self._done)
            sys.stderr.write("\n")

    def _draw(self, now: float, done: float) -> None:
        whole = sum(self._expected.values())
        elapsed = now - self._started
        remaining = (whole - done) * (elapsed / done if done > whole / 20 else 1.0)
        filled = int(_WIDTH * done / whole)
        line = (
            f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {_clock(elapsed)} elapsed, "
            f"{_clock(remaining)} remaining: {self._case}"
        )
        sys.stderr.write(f"\r\033[K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
