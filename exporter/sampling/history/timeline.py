"""The times at which one source was sampled, and the time that its samples cover."""

from __future__ import annotations

from collections import deque
from typing import Final

# A gap longer than this tells nothing of what happened in it, and no older sample is published.
STALE_SECONDS: Final = 5.0
_MAX_GAPS: Final = 64


class SampleTimeline:
    """Counts samples and adds up the time between them. Times are monotonic seconds.

    `covered` grows by the gap before each sample, unless the gap was so long that the state before it
    cannot be taken to have lasted: a suspended host, a source that failed. `newest` and `previous` are the
    times of the newest sample and of the one before it, 0 where there was none. `gaps` are the newest of
    those longer gaps: the times of the samples before and after each.
    """

    __slots__ = ("covered", "gaps", "newest", "previous", "samples")

    def __init__(self) -> None:
        self.samples = 0
        self.covered = 0.0
        self.newest = 0.0
        self.previous = 0.0
        self.gaps: deque[tuple[float, float]] = deque(maxlen=_MAX_GAPS)

    def record(self, now: float) -> None:
        """Note a sample taken at `now`."""
        gap = now - self.newest
        if self.samples and gap <= STALE_SECONDS:
            self.covered += gap
        elif self.samples:
            self.gaps.append((self.newest, now))
        self.samples += 1
        self.previous = self.newest
        self.newest = now

    def stale(self, now: float) -> bool:
        """Tell whether there is no sample, or the newest is too old to be published."""
        return not self.samples or now - self.newest > STALE_SECONDS
