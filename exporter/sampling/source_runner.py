"""Runs a source: when it is due, at what cost, and with what success."""

from __future__ import annotations

import threading
from typing import Any

from exporter.config.model import Config
from exporter.kernel.errors import KernelError
from exporter.sampling.clock import Clock
from exporter.sampling.schedule import Schedule
from exporter.sampling.sources.source import Source, SourceStats


class SourceRunner:
    """One source with its schedule. Times are monotonic seconds unless they are called timestamps.

    `error` is that of the newest sample, None where it succeeded. `duration_seconds` is what it took,
    `timestamp` the wall time of the newest success, 0 where there was none.
    """

    def __init__(
        self, source: Source[Any], netns: str, config: Config, lock: threading.Lock, clock: Clock
    ) -> None:
        """Start due at once. `lock` guards what is published; `clock.cpu` tells what a sample costs."""
        self.netns = netns
        self.schedule = Schedule(source.interval(config.sampling.interval_seconds))
        self.error: KernelError | None = None
        self.duration_seconds = 0.0
        self.timestamp = 0.0
        self._source = source
        self._lock = lock
        self._clock = clock
        self._idle = False

    @property
    def name(self) -> str:
        """The value of the label `source`."""
        return self._source.name

    @property
    def method(self) -> str | None:
        """How the kernel is asked now; None where it cannot be asked."""
        return self._source.method

    @property
    def file_names(self) -> tuple[str, ...]:
        """The files of /proc that the source reads."""
        return self._source.file_names

    @property
    def stats(self) -> SourceStats:
        """What the source has counted."""
        return self._source.stats

    def run(self, now: float) -> None:
        """Take one sample if there is anything to ask, and note how it went."""
        source, clock = self._source, self._clock
        source.stats.count_missed(self.schedule.advance(now))
        self._idle = not source.pending(now)
        if self._idle:
            if not source.keeps_error_while_idle:
                self.error = None
            return
        started, used = clock.elapsed(), clock.cpu()
        try:
            answer = source.ask(now)
            with self._lock:
                source.timeline.record(now, self.schedule.interval_in_force)
                source.apply(answer, now)
        except KernelError as error:
            self.fail(error)
        else:
            self.error = None
            source.stats.count_sample()
            self.timestamp = clock.wall()
        self.duration_seconds = clock.elapsed() - started
        self.schedule.note_cost(clock.cpu() - used)

    def fail(self, error: KernelError) -> None:
        """Note that the source could not be asked."""
        self._source.stats.count_error(error)
        self.error = error

    def healthy(self, now: float) -> bool:
        """Tell whether the newest sample succeeded and is young enough to be published."""
        if self.error is not None:
            return False
        return self._idle or not self._source.timeline.stale(now, self.schedule.interval_in_force)

    def configure(self, config: Config) -> None:
        """Take another configuration; the caller holds the lock."""
        self._source.configure(config)
        interval = self._source.interval(config.sampling.interval_seconds)
        if interval != self.schedule.interval:
            self.schedule.set_interval(interval)

    def follow_slots(self, slot_interval: float) -> None:
        """Run no more often than the slots of the namespace come, in seconds."""
        self.schedule.set_min_interval(slot_interval * self._source.slots_per_sample)

    def requested_share(self) -> float:
        """Return the share of one core that samples at the shortest interval would use; 0 while idle."""
        return 0.0 if self._idle else self.schedule.requested_share()

    def limit_to(self, share: float) -> None:
        """Stretch the interval until samples fit into `share` of one core."""
        self.schedule.limit_to(self.schedule.requested_share() if self._idle else share)
