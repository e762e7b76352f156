"""The times at which one source was sampled, and the time that its samples cover."""

from __future__ import annotations

# A gap longer than this tells nothing of what happened in it.
STALE_SECONDS = 5.0
STALE_INTERVALS = 3


def stale_after(interval: float) -> float:
    """Return after how many seconds without a sample a source counts as failed."""
    return max(STALE_SECONDS, STALE_INTERVALS * interval)


class SampleTimeline:
    """Counts samples and adds up the time between them. Times are monotonic seconds.

    `covered` grows by the gap before each sample, unless the gap was so long that the state before it
    cannot be taken to have lasted: a suspended host, a source that failed. `newest` and `previous` are the
    times of the newest sample and of the one before it, 0 where there was none.
    """

    __slots__ = ("covered", "newest", "previous", "samples")

    def __init__(self) -> None:
        self.samples = 0
        self.covered = 0.0
        self.newest = 0.0
        self.previous = 0.0

    def record(self, now: float, interval: float) -> None:
        """Note a sample taken at `now` by a source that is sampled every `interval` seconds."""
        gap = now - self.newest
        if self.samples and gap <= stale_after(interval):
            self.covered += gap
        self.samples += 1
        self.previous = self.newest
        self.newest = now

    def stale(self, now: float, interval: float) -> bool:
        """Tell whether there is no sample, or the newest is too old for a source with this interval."""
        return not self.samples or now - self.newest > stale_after(interval)
