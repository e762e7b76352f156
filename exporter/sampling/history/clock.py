"""The time that the samples of one source vouch for."""

from __future__ import annotations

# A gap longer than this says nothing about what happened in it (the contract's limit for stale).
STALE_SECONDS = 5.0
STALE_INTERVALS = 3


def stale_after(interval: float) -> float:
    """Return after how many seconds without a sample a source counts as failed."""
    return max(STALE_SECONDS, STALE_INTERVALS * interval)


class SampleClock:
    """Counts samples and adds up the time between them.

    `covered` grows by the gap before each sample, unless the gap was so long that the state
    before it cannot be taken to have lasted: a suspended host, a source that failed. `now` and
    `previous` are the monotonic times of the newest sample and the one before it.
    """

    __slots__ = ("covered", "now", "previous", "samples")

    def __init__(self) -> None:
        """Start before the first sample."""
        self.samples = 0
        self.covered = 0.0
        self.now = float("-inf")
        self.previous = float("-inf")

    def tick(self, now: float, interval: float) -> None:
        """Note a sample taken at `now` by a source that samples every `interval` seconds."""
        gap = now - self.now
        if gap <= stale_after(interval):
            self.covered += gap
        self.samples += 1
        self.previous = self.now
        self.now = now
