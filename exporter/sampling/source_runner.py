"""Runs a source: when it is due, at what cost, and with what success."""

from __future__ import annotations

import threading
from math import ceil, floor
from typing import Any, Final

from exporter.config.model import Config
from exporter.kernel.errors import KernelError
from exporter.sampling.clock import Clock
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.schedule import OVERDUE_SECONDS, Schedule, fitting_interval, multiple_of
from exporter.sampling.sources.source import Source, SourceStats

# What is a whole number but for a rounding error.
_ROUNDING: Final = 1e-9


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
        # When there was nothing to ask; None where there was at the last look.
        self._idle_at: float | None = None
        self._asked_at = 0.0
        self._least = 0.0
        # The interval that fits into its share of the budget, and how far apart the slots of its namespace
        # are; in seconds, 0 where there is none.
        self._fitting = 0.0
        self._slot_interval = 0.0
        self._quiet = True
        # The kind of error at the last call of error_changed().
        self._last_error: tuple[type[KernelError], str] | None = None

    @property
    def name(self) -> str:
        """The value of the label `source`."""
        return self._source.name

    @property
    def asks_for(self) -> str:
        """What the source asks for, in the words of a message to people."""
        return self._source.asks_for

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

    @property
    def idle(self) -> bool:
        """Whether there was nothing to ask at the last look."""
        return self._idle_at is not None

    @property
    def every_slot(self) -> bool:
        """Whether it is asked each time its namespace is sampled, and not more seldom."""
        return not (self._source.min_interval_seconds or self._source.quiet_interval_seconds)

    def run(self, now: float) -> None:
        """Take one sample if there is anything to ask, note how it went, and when the next one is due."""
        self.run_and_note(now, self._clock.cpu())

    def run_and_note(self, now: float, used: float) -> float:
        """Do the same where `clock.cpu` has been read already; return what it tells afterwards."""
        self.count_missed(self.schedule.advance(now))
        limited = self._source.limited_seconds
        after = self.sample(now, used)
        if self._idle_at is None:
            self.schedule.note_cost(after - used - (self._source.limited_seconds - limited), now)
        return after

    def due_in_slot(self, now: float, slot_interval: float) -> bool:
        """Tell whether it runs in the slot at `now`, and not in the next one so many seconds later.

        It runs in that which is nearer to its due time, and does not wait for one that comes too late.
        """
        nearer = self.schedule.is_due(now + slot_interval / 2)
        return nearer or now + slot_interval - self._asked_at > OVERDUE_SECONDS + _ROUNDING

    def count_missed(self, due_times: int) -> None:
        """Count due times that passed without a sample."""
        if due_times:
            self._source.stats.count_missed(due_times)

    def sample(self, now: float, used: float) -> float:
        """Take one sample if there is anything to ask, and note how it went.

        `used` is what `clock.cpu` tells now; what it tells afterwards is returned.
        """
        source, clock = self._source, self._clock
        self._asked_at = now
        if not source.pending(now):
            self._idle_at = now
            if not source.keeps_error_while_idle:
                self.error = None
            return self._count_cpu(used)
        self._idle_at = None
        started = clock.elapsed()
        try:
            answer = source.ask(now)
            with self._lock:
                source.timeline.record(now)
                source.apply(answer, now)
        except KernelError as error:
            self.fail(error)
        else:
            self.error = None
            source.stats.count_sample()
            self.timestamp = clock.wall()
        self.duration_seconds = clock.elapsed() - started
        return self._count_cpu(used)

    def _count_cpu(self, used: float) -> float:
        after = self._clock.cpu()
        self._source.stats.count_cpu(after - used)
        return after

    def error_changed(self) -> bool:
        """Tell whether the kind of error is another than at the last call."""
        if self.error is None and self._last_error is None:
            return False
        kind = None if self.error is None else (type(self.error), self.error.reason)
        before, self._last_error = self._last_error, kind
        return kind != before

    def fail(self, error: KernelError) -> None:
        """Note that the source could not be asked."""
        self._source.stats.count_error(error)
        self.error = error

    def healthy(self, now: float) -> bool:
        """Tell whether the newest sample succeeded and is young enough to be published."""
        if self.error is not None:
            return False
        # Read once: also those ask that do not hold the lock.
        idle_at = self._idle_at
        if idle_at is not None:
            return now - idle_at <= STALE_SECONDS
        return not self._source.timeline.stale(now)

    def configure(self, config: Config) -> None:
        """Take another configuration; the caller holds the lock."""
        self._source.configure(config)
        interval = self._source.interval(config.sampling.interval_seconds)
        if interval != self.schedule.interval:
            self.schedule.set_interval(interval)

    def follow_slots(self, slot_interval: float, now: float, *, quiet: bool) -> None:
        """Run no more often than the slots of the namespace come, in seconds, or than a quiet one needs."""
        if self._quiet and not quiet:
            # What it may use is known within a second; until then it runs at its shortest interval.
            self._fitting = 0.0
        self._quiet = quiet
        self._slot_interval = slot_interval
        self._least = self._seconds_between(slot_interval, quiet=quiet)
        self._set_interval(now)

    def slow_down(self, slot_interval: float | None) -> None:
        """Be no faster than in a quiet namespace with slots so far apart, in seconds; None for no limit."""
        self._least = 0.0 if slot_interval is None else self._seconds_between(slot_interval, quiet=True)

    def set_min_interval(self, seconds: float, now: float) -> None:
        """Run every `seconds` from `now` on, or at the shortest interval where that is longer."""
        self.schedule.set_min_interval(seconds, now)

    def requested_share(self) -> float:
        """Return the share of one core that samples at the shortest interval would use; 0 while idle."""
        if self._idle_at is not None:
            return 0.0
        return self.schedule.cost / max(self.schedule.interval, self._least)

    def share_in_force(self) -> float:
        """Return the share of one core that samples at the present interval use; 0 while idle."""
        return 0.0 if self._idle_at is not None else self.schedule.share_in_force()

    def least_share(self) -> float:
        """Return the share of one core that samples at the longest interval would use; 0 while idle."""
        return 0.0 if self._idle_at is not None else self.schedule.least_share()

    def limit_to(self, share: float, now: float) -> None:
        """Stretch the interval until samples fit into `share` of one core."""
        share = self.schedule.requested_share() if self._idle_at is not None else share
        self._fitting = fitting_interval(self.schedule.cost, self.schedule.interval, share)
        self._set_interval(now)

    def _set_interval(self, now: float) -> None:
        fitting = _whole_slots(self._fitting, self._slot_interval) if self._slot_interval else self._fitting
        self.schedule.set_min_interval(max(self._least, fitting), now)

    def _seconds_between(self, slot_interval: float, *, quiet: bool) -> float:
        return _whole_slots(self._source.quiet_interval_seconds if quiet else 0.0, slot_interval)


def _whole_slots(seconds: float, slot_interval: float) -> float:
    """Round to whole slots, at least one and no more than what is overdue; down where both are as near."""
    number = ceil(seconds / slot_interval - 0.5 - _ROUNDING)
    most = floor(OVERDUE_SECONDS / slot_interval + _ROUNDING)
    return multiple_of(slot_interval, max(1, min(number, most)))
