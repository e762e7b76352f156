"""Since when one threshold is exceeded, and whether that counts after hold and release.

Nothing runs while nothing changes: the state keeps the time of its last change, and what it is now
follows from that and the time. Time that no samples cover counts neither for hold nor for release.
"""

from __future__ import annotations

from exporter.config.model import Level, Unit


class ThresholdState:
    """One severity of one queue of one listener.

    A level is exceeded at its value and above, and never by an empty queue, so that `100%` and `0` both
    mean something. Times are monotonic seconds; `covered` is the time that samples cover (SampleTimeline).
    `known` is false where the queue cannot be compared with the level: a share of a limit that the source
    does not tell.
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
        self.level: Level | None = None
        self.known = False
        self.exceeded = False
        self._hold = 0.0
        self._release = 0.0
        self._active = False
        self._since = 0.0
        self._covered = 0.0
        self._seconds = 0.0

    def set_threshold(  # noqa: PLR0913 # the threshold, and what update() takes
        self,
        level: Level,
        *,
        hold: float,
        release: float,
        connections: int | None,
        ratio: float | None,
        now: float,
        covered: float,
    ) -> None:
        """Take another level and compare the newest sample with it; what is active now stays active."""
        # By the hold of before: beyond the new level it may never have been.
        was_active = self.active(covered)
        if level != self.level and self.exceeded and not was_active:
            # Since when it is beyond the new one is not known, other than now.
            self._seconds = self.seconds(covered)
            self._since, self._covered = now, covered
        self.level = level
        self.update(connections, ratio, now, covered)
        self._active = was_active
        self._hold = hold
        self._release = release

    def update(self, connections: int | None, ratio: float | None, now: float, covered: float) -> None:
        """Compare a new sample with the level."""
        level = self.level
        if level is None:
            return
        value = ratio if level.unit is Unit.RATIO else connections
        self.known = value is not None
        exceeded = value is not None and value >= level.value and value > 0
        if exceeded is not self.exceeded:
            self._active = self.active(covered)
            self._seconds = self.seconds(covered)
            self._since = now
            self._covered = covered
            self.exceeded = exceeded

    def crossed_at(self, time: float) -> bool:
        """Tell whether the level is exceeded from the sample at `time` on, before hold."""
        return self.exceeded and self._since == time

    def active(self, covered: float) -> bool:
        """Tell whether the threshold is exceeded after hold, or not yet released."""
        lasted = covered - self._covered
        if self.exceeded:
            return self._active or lasted >= self._hold
        return self._active and lasted < self._release

    def seconds(self, covered: float) -> float:
        """Return the time in which the level itself was exceeded, before hold, in seconds."""
        return self._seconds + (covered - self._covered if self.exceeded else 0.0)
