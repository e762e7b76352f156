"""What the samples of one queue add up to: its peak, and how long its thresholds were crossed."""

from __future__ import annotations

from exporter.config.model import Queue, Severity, Thresholds
from exporter.sampling.history.clock import SampleClock
from exporter.sampling.history.peak import PeakWindow
from exporter.thresholds.state import ThresholdState


class QueueHistory:
    """One queue of one listener. `length` is in connections, `ratio` is the share of what it holds.

    An unchanged queue costs nothing: what holds since a sample is settled at the next change, and
    what it adds until now is worked out when somebody reads.
    """

    __slots__ = ("_clock", "_lengths", "_queue", "length", "ratio", "threshold_states")

    def __init__(self, queue: Queue, clock: SampleClock, peak_window: float) -> None:
        """Start with no sample of this queue; `clock` is that of the source which samples it."""
        self._queue = queue
        self._clock = clock
        self._lengths = PeakWindow(peak_window)
        self.length: int | None = None
        self.ratio: float | None = None
        self.threshold_states = {severity: ThresholdState() for severity in Severity}

    def judge(self, thresholds: Thresholds, peak_window: float) -> None:
        """Take thresholds and the width of the window; counters go on."""
        clock = self._clock
        self._lengths.window = peak_window
        for severity, threshold_state in self.threshold_states.items():
            level = thresholds.levels[self._queue, severity]
            threshold_state.judge(level, thresholds.hold_seconds, thresholds.release_seconds, clock.now)
            threshold_state.update(self.length, self.ratio, clock.now, clock.covered)

    def observe(self, length: int | None, ratio: float | None) -> None:
        """Take the state that the newest sample found; None where it cannot tell, or is gone."""
        clock = self._clock
        if self.length is not None and (length is None or length < self.length):
            self._lengths.fall(self.length, clock.previous)
        self.length = length
        self.ratio = ratio
        for threshold_state in self.threshold_states.values():
            threshold_state.update(length, ratio, clock.now, clock.covered)

    def peak_length(self) -> float | None:
        """Return the highest length in the window, in connections."""
        return None if self.length is None else self._lengths.highest(self.length, self._clock.now)

    def settled(self) -> bool:
        """Tell whether time alone changes nothing here: no peak to leave, no threshold to hold or release."""
        return self._lengths.settled() and not any(
            threshold_state.exceeded or threshold_state.active(self._clock.now)
            for threshold_state in self.threshold_states.values()
        )

    def active(self, severity: Severity) -> bool:
        """Tell whether a threshold is exceeded, after hold and release."""
        return self.threshold_states[severity].active(self._clock.now)

    def exceeded_seconds(self, severity: Severity) -> float:
        """Return the time beyond a threshold, before hold, in seconds."""
        return self.threshold_states[severity].seconds(self._clock.covered)
