"""A bar on standard error: what is being measured, how long it has taken and how long it will."""

from __future__ import annotations

import sys
import time

_WIDTH = 30


class Progress:
    """Knows how long each stage takes about, and corrects itself by how long the ones before took.

    Stages run in child processes that inherit this object and draw for themselves.
    """

    def __init__(self, expected_seconds: dict[str, float]) -> None:
        """Start at the first stage; the names are in the order in which the stages run."""
        self._expected = expected_seconds
        self._done = 0.0
        self._stage = ""
        self._started = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def begin(self, stage: str) -> None:
        """Begin a stage."""
        self._stage = stage
        self.at(0.0)

    def at(self, share: float) -> None:
        """Say how much of the stage is done."""
        now = time.monotonic()
        if self._terminal or share == 0.0:
            self._draw(now, self._done + share * self._expected[self._stage])

    def end(self) -> None:
        """End the stage."""
        self._done += self._expected[self._stage]
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
            f"{_clock(remaining)} remaining: {self._stage}"
        )
        sys.stderr.write(f"\r\033[K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
