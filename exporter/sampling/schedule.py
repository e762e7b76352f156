"""When something that runs again and again is due, what a run costs, and how a budget slows it down."""

from __future__ import annotations

from math import ceil, floor
from typing import Final

from exporter.sampling.average import averaged

# The budget stretches no interval further: figures older than five seconds are not published.
MAX_INTERVAL_SECONDS: Final = 4.0
# What waits for something else that is due may be so old when it runs, and is published until then.
OVERDUE_SECONDS: Final = MAX_INTERVAL_SECONDS + 0.25
# After so many seconds what a run cost before counts half.
_COST_HALF_LIFE_SECONDS: Final = 1.0
# Where a run after so many seconds costs less than before, that is what runs cost now: the load is over, and
# what they cost under it would keep the interval long for runs to come.
_FORGET_SECONDS: Final = 2.0
# One that costs less than this part of that is followed by another as soon as that counts alone: it may still
# have paid for the end of the load, as for thousands of sockets that were closed.
_FALLEN_PART: Final = 2 / 3
# The most that one run counts for, in multiples of the average. Now and then a run pays for others, as when
# garbage is collected in it, and an interval stretched for that would take long to shrink again.
_MAX_COST_MULTIPLE: Final = 4.0
# A share that is missed by a rounding error only is kept.
_ROUNDING: Final = 1e-9
# A due time is a whole multiple where it is one but for so much of an interval: the clock may be at 1e9.
_GRID_ROUNDING: Final = 1e-4
# Of intervals, in seconds: no configured one needs more than microseconds.
_DECIMALS: Final = 9


def fitting_interval(cost: float, interval: float, share: float) -> float:
    """Return the shortest whole multiple of `interval` at which runs fit into `share` of one core.

    `cost` is the processor time of a run. All but `share` are in seconds. The result is 4 seconds at most, or
    the interval where that is longer.
    """
    longest = max(1, floor(MAX_INTERVAL_SECONDS / interval + _ROUNDING))
    multiple = 1
    if cost > 0:
        multiple = longest if share <= 0 else max(1, ceil(cost / share / interval - _ROUNDING))
    return multiple_of(interval, min(multiple, longest))


def multiple_of(interval: float, number: int) -> float:
    """Return `number` times `interval`, in seconds, as it is written: three times 0.1 is 0.3."""
    return round(interval * number, _DECIMALS)


class Schedule:
    """The interval, the cost and the due time of one thing. Times are monotonic seconds.

    `interval` is the shortest time between two runs, `interval_in_force` the present one, a whole multiple
    of it where the budget binds, so that what is due together stays together and wakes the thread once.
    `due` is None where a run is due at once. `ran_at` is when the last one began, None before. `cost` is the
    average processor time of a run, in seconds.
    """

    __slots__ = ("_last_due", "_noted_at", "_runs", "cost", "due", "interval", "interval_in_force", "ran_at")

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.interval_in_force = interval
        self.due: float | None = None
        self.ran_at: float | None = None
        self.cost = 0.0
        self._runs = 0
        self._noted_at = 0.0
        # The due time of the last run, None where the next one is due at a time of its own.
        self._last_due: float | None = None

    def is_due(self, now: float, tolerance: float = 0.0) -> bool:
        """Tell whether a run is due at `now`, or up to `tolerance` seconds later."""
        return self.due is None or self.due <= now + tolerance

    def advance(self, now: float) -> int:
        """Set the next due time, after a run at `now`, and return how many due times have passed without one.

        Due times are whole multiples of the shortest interval, so that what has one interval is due together
        and wakes the thread once; those that have passed are not made up for.
        """
        self.ran_at = now
        due = now if self.due is None else self.due
        missed = max(0, floor((now - due) / self.interval_in_force + _ROUNDING))
        last = due + missed * self.interval_in_force
        self._last_due = multiple_of(self.interval, floor(last / self.interval + _GRID_ROUNDING))
        self.due = self._last_due + self.interval_in_force
        return missed

    def run_now(self) -> None:
        """Make a run due at once."""
        self.due = self._last_due = None

    def postpone(self, until: float) -> None:
        """Make the next run due at `until`."""
        self.due = until
        self._last_due = None

    def note_cost(self, seconds: float, now: float) -> None:
        """Take the processor time of a run at `now` into the average, which forgets with time.

        The next due time is set by then; where the cost falls it may become an earlier one.
        """
        self._runs += 1
        passed, self._noted_at = now - self._noted_at, now
        # The first run fills what later ones find filled, so it is no measure of them.
        if self._runs == 1:
            return
        if self.cost and (seconds >= self.cost or passed < _FORGET_SECONDS):
            counted = min(seconds, self.cost * _MAX_COST_MULTIPLE)
            self.cost = averaged(self.cost, counted, passed, _COST_HALF_LIFE_SECONDS)
        else:
            if self.due is not None and seconds < self.cost * _FALLEN_PART:
                self.due = min(self.due, now + _FORGET_SECONDS)
            self.cost = seconds

    def requested_share(self) -> float:
        """Return the share of one core that runs at the shortest interval would use."""
        return self.cost / self.interval

    def least_share(self) -> float:
        """Return the share of one core that runs at the longest interval would use."""
        return self.cost / max(self.interval, MAX_INTERVAL_SECONDS)

    def share_in_force(self) -> float:
        """Return the share of one core that runs at the present interval use."""
        return self.cost / self.interval_in_force

    def limit_to(self, share: float, now: float) -> None:
        """Stretch the interval until runs fit into `share` of one core, and no further than 4 seconds."""
        self._set_in_force(fitting_interval(self.cost, self.interval, share), now)

    def set_interval(self, interval: float) -> None:
        """Take another shortest interval, in seconds; a run is due at once."""
        self.interval = self.interval_in_force = interval
        self.run_now()

    def set_min_interval(self, seconds: float, now: float) -> None:
        """Run every `seconds` from `now` on, or at the shortest interval where that is longer."""
        self._set_in_force(max(self.interval, seconds), now)

    def _set_in_force(self, seconds: float, now: float) -> None:
        """Take another interval. A run that would be due earlier by a shorter one does not wait on."""
        shorter = seconds < self.interval_in_force
        self.interval_in_force = seconds
        if shorter and self._last_due is not None:
            self.due = max(self._last_due + seconds, now)
