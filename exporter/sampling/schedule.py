"""When something that runs again and again is due, what a run costs, and how a budget slows it down."""

from __future__ import annotations

from math import ceil
from typing import Final

# How much one more run moves the running average of what a run costs.
_COST_WEIGHT: Final = 0.2
# The most that one run counts for, in multiples of the average. Now and then a run pays for others, as when
# garbage is collected in it, and an interval stretched for that would take long to shrink again.
_MAX_COST_MULTIPLE: Final = 4.0
# A share that is missed by a rounding error only is kept.
_ROUNDING: Final = 1e-9


class Schedule:
    """The interval, the cost and the due time of one thing. Times are monotonic seconds.

    `interval` is the shortest time between two runs, `interval_in_force` the present one, a whole multiple
    of it where the budget binds, so that what is due together stays together and wakes the thread once.
    `due` is None where a run is due at once. `cost` is the average processor time of a run, in seconds.
    """

    __slots__ = ("_runs", "cost", "due", "interval", "interval_in_force")

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.interval_in_force = interval
        self.due: float | None = None
        self.cost = 0.0
        self._runs = 0

    def is_due(self, now: float, tolerance: float = 0.0) -> bool:
        """Tell whether a run is due at `now`, or up to `tolerance` seconds later."""
        return self.due is None or self.due <= now + tolerance

    def advance(self, now: float) -> int:
        """Set the next due time, after a run at `now`, and return how many due times have passed without one.

        Due times stay on a grid of the interval; those that have passed are not made up for.
        """
        due = now if self.due is None else self.due
        missed = max(0, int((now - due) // self.interval_in_force))
        self.due = due + (missed + 1) * self.interval_in_force
        return missed

    def run_now(self) -> None:
        """Make a run due at once."""
        self.due = None

    def postpone(self, until: float) -> None:
        """Make the next run due at `until`."""
        self.due = until

    def note_cost(self, seconds: float) -> None:
        """Take the processor time of one run into the average."""
        self._runs += 1
        # The first run fills what later ones find filled, so it is no measure of them.
        if self._runs == 1:
            return
        if self.cost:
            seconds = min(seconds, self.cost * _MAX_COST_MULTIPLE)
            self.cost += _COST_WEIGHT * (seconds - self.cost)
        else:
            self.cost = seconds

    def requested_share(self) -> float:
        """Return the share of one core that runs at the shortest interval would use."""
        return self.cost / self.interval

    def limit_to(self, share: float) -> None:
        """Stretch the interval until runs fit into `share` of one core, and no further."""
        requested = self.requested_share()
        multiple = 1 if requested <= share else ceil(requested / share - _ROUNDING)
        self.interval_in_force = self.interval * multiple

    def set_interval(self, interval: float) -> None:
        """Take another shortest interval, in seconds; a run is due at once."""
        self.interval = self.interval_in_force = interval
        self.due = None

    def set_min_interval(self, seconds: float) -> None:
        """Run every `seconds` from now on, or at the shortest interval where that is longer."""
        self.interval_in_force = max(self.interval, seconds)
