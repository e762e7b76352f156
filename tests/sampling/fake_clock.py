"""Time that only a test moves."""

from __future__ import annotations

import pytest

_EPOCH = 1_700_000_000.0


class Clockwork:
    """What the modules under test take for the module `time`. All in seconds."""

    def __init__(self) -> None:
        """Start long after boot, so that zero is never taken for now.

        `step` is how far each look at the time of samples moves it, for a loop that runs by itself.
        """
        self.now = 1000.0
        self.step = 0.0
        self.spent = 0.0

    def install(self, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
        """Put it in the place of `time` in these modules."""
        for module in modules:
            monkeypatch.setattr(f"{module}.time", self)

    def spend(self, seconds: float) -> None:
        """Use processor time, which the next beat does not wait for."""
        self.spent += seconds

    def monotonic(self) -> float:
        """The time of samples."""
        self.now += self.step
        return self.now

    def perf_counter(self) -> float:
        """The time that a sample takes."""
        return self.now + self.spent

    def thread_time(self) -> float:
        """The processor time that the samples used."""
        return self.spent

    def time(self) -> float:
        """The time of day."""
        return _EPOCH + self.now
