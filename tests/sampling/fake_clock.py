"""Clocks that only a test moves."""

from __future__ import annotations

from exporter.sampling.clock import Clock

_EPOCH = 1_700_000_000.0


class FakeClock:
    """Clocks in seconds. `now` starts long after boot, so that zero is never taken for now."""

    def __init__(self) -> None:
        """`step` is how far each read of the monotonic clock moves it, for a loop that runs by itself."""
        self.now = 1000.0
        self.step = 0.0
        self.spent = 0.0

    def clock(self) -> Clock:
        """The clocks as the program takes them."""
        return Clock(
            monotonic=self._monotonic,
            wall=self.wall,
            elapsed=lambda: self.now + self.spent,
            cpu=lambda: self.spent,
        )

    def spend(self, seconds: float) -> None:
        """Use processor time, while the monotonic clock stands still."""
        self.spent += seconds

    def wall(self) -> float:
        """The time of day."""
        return _EPOCH + self.now

    def _monotonic(self) -> float:
        self.now += self.step
        return self.now
