"""Since when one threshold is crossed, and whether that counts after hold and release.

Nothing runs while nothing changes: a crossing remembers its last change, and what it is now
follows from that and the time.
"""

from __future__ import annotations

from exporter.config.model import Level, Unit


class ThresholdState:
    """One severity of one queue of one listener.

    A level is crossed at its value and above, and never by an empty queue, so that `100%` and `0`
    both mean something. Times are monotonic seconds; `covered` is the time that samples vouch for.
    `known` is false where the queue cannot be compared with the level, as with a share of a limit
    that the source does not tell.
    """

    __slots__ = (
        "_active",
        "_covered",
        "_hold",
        "_release",
        "_seconds",
        "_since",
        "exceeded",
        "known",
        "level",
    )

    def __init__(self) -> None:
        """Start below, with nothing known."""
        self.level: Level | None = None
        self.known = False
        self.exceeded = False
        self._hold = 0.0
        self._release = 0.0
        self._active = False
        self._since = float("-inf")
        self._covered = 0.0
        self._seconds = 0.0

    def judge(self, level: Level, hold: float, release: float, now: float) -> None:
        """Take the level to compare with from the next update on; what counts now goes on counting."""
        self._active = self.active(now)
        self.level = level
        self._hold = hold
        self._release = release

    def update(self, connections: int | None, ratio: float | None, now: float, covered: float) -> None:
        """Compare a new reading with the level."""
        level = self.level
        if level is None:
            return
        value = ratio if level.unit is Unit.RATIO else connections
        self.known = value is not None
        exceeded = value is not None and value >= level.value and value > 0
        if exceeded is not self.exceeded:
            self._active = self.active(now)
            self._seconds = self.seconds(covered)
            self._since = now
            self._covered = covered
            self.exceeded = exceeded

    def active(self, now: float) -> bool:
        """Tell whether the crossing counts: held long enough, or not yet released."""
        lasted = now - self._since
        if self.exceeded:
            return self._active or lasted >= self._hold
        return self._active and lasted < self._release

    def seconds(self, covered: float) -> float:
        """Return the time beyond the level itself, before hold, in seconds."""
        return self._seconds + (covered - self._covered if self.exceeded else 0.0)
