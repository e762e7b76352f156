"""What the samples of one queue add up to: its peak, and how long its thresholds were exceeded."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.config.model import Queue, Severity, Thresholds
from exporter.sampling.history.peak import PeakWindow
from exporter.sampling.history.timeline import SampleTimeline
from exporter.thresholds.state import ThresholdState


class QueueHistory:
    """One queue of one listener. `length` is in connections, `ratio` is the share of what it holds.

    An unchanged queue costs nothing: what has held since a sample is added up at the next change, and what
    that adds until now is computed when it is read.
    """

    __slots__ = ("_lengths", "_queue", "_timeline", "length", "ratio", "threshold_states")

    def __init__(self, queue: Queue, timeline: SampleTimeline, peak_window: float) -> None:
        """Start with no sample of this queue; `timeline` is that of the source which samples it."""
        self._queue = queue
        self._timeline = timeline
        self._lengths = PeakWindow(peak_window)
        self.length: int | None = None
        self.ratio: float | None = None
        self.threshold_states = {severity: ThresholdState() for severity in Severity}

    @property
    def sampled(self) -> float:
        """The time of the newest sample."""
        return self._timeline.newest

    @property
    def sampled_before(self) -> float:
        """The time of the sample before it, 0 where there was none."""
        return self._timeline.previous

    @property
    def gaps(self) -> Iterable[tuple[float, float]]:
        """Between which samples so much time passed that nothing is known of it."""
        return self._timeline.gaps

    def set_thresholds(self, thresholds: Thresholds, peak_window: float) -> None:
        """Take thresholds and the width of the window, in seconds; counters go on."""
        timeline = self._timeline
        self._lengths.set_window(peak_window)
        levels = thresholds.levels
        for severity, state in self.threshold_states.items():
            level = levels[self._queue, severity]
            state.set_threshold(
                level,
                hold=thresholds.hold_seconds,
                release=thresholds.release_seconds,
                connections=self.length,
                ratio=self.ratio,
                now=timeline.newest,
                covered=timeline.covered,
            )

    def observe(self, length: int | None, ratio: float | None) -> None:
        """Take what the newest sample found; None where it cannot tell, or the listener is gone."""
        timeline = self._timeline
        if self.length is not None and (length is None or length < self.length):
            self._lengths.add(self.length, timeline.previous)
        self.length = length
        self.ratio = ratio
        for state in self.threshold_states.values():
            state.update(length, ratio, timeline.newest, timeline.covered)

    def peak_length(self) -> float | None:
        """Return the highest length in the window, in connections."""
        return None if self.length is None else self._lengths.highest(self.length, self._timeline.newest)

    def time_invariant(self) -> bool:
        """Tell whether time alone changes nothing: no peak will expire, no threshold is held or released."""
        return self._lengths.time_invariant() and not any(
            state.exceeded or state.active(self._timeline.covered) for state in self.threshold_states.values()
        )

    def active(self, severity: Severity) -> bool:
        """Tell whether a threshold is exceeded, after hold and release."""
        return self.threshold_states[severity].active(self._timeline.covered)

    def exceeded_seconds(self, severity: Severity) -> float:
        """Return the time beyond a threshold, before hold, in seconds."""
        return self.threshold_states[severity].seconds(self._timeline.covered)
