"""The share of the processor that other network namespaces use, divided among them.

Those in whose queues connections waited lately come first, at the full rate as far as the budget allows, and
the others share what is left, evenly. What is not asked each time has a part of its own. A namespace that
costs more than its part is sampled less often, and keeps none of the others waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low
from typing import Final

from exporter.sampling.budget import BudgetConsumer, limit_all
from exporter.sampling.even_intervals import even_intervals
from exporter.sampling.namespace_slot import NamespaceSlot
from exporter.sampling.source_runner import SourceRunner

# What those whose queues are empty keep of the budget, however many are busy.
_QUIET_PART: Final = 0.1
# What the busy ones may use of the whole budget, however little of it is left for namespaces: a queue that is
# full for a moment would not be seen otherwise.
_BUSY_PART: Final = 0.5
# Those that need no more than this part of the budget for the full rate have it.
_FULL_RATE_PART: Final = 0.75
# What sources may use that are not asked each time, unless their longest interval takes more.
_SELDOM_PART: Final = 0.25
# To follow each small change of an interval would cost as much as some samples.
_LITTLE_LONGER: Final = 1.1


class NamespaceShares:
    """The namespaces as they are now, as one consumer of the budget. Shares are of one core, intervals in s.

    `own` are sources of the exporter's own namespace that run as often as quiet namespaces. `budget` is the
    share for everything, `interval` the shortest one. `quiet_interval` is that of most quiet namespaces, 0
    where none is quiet.
    """

    def __init__(
        self,
        slots: Sequence[NamespaceSlot],
        own: Sequence[SourceRunner],
        budget: float,
        interval: float,
        quiet_interval: float,
    ) -> None:
        self.quiet_interval = quiet_interval
        self._budget = budget
        self._interval = interval
        self._busy = [slot for slot in slots if not slot.quiet]
        self._quiet: list[SourceRunner | NamespaceSlot] = [*own, *(slot for slot in slots if slot.quiet)]
        self._seldom = [runner for slot in self._busy for runner in slot.others]
        # Where queues are empty, what is not asked each time is asked hardly more often than at the least.
        self._of_quiet = sum(
            runner.share_in_force() for slot in slots if slot.quiet for runner in slot.others
        )
        self._consumers: list[BudgetConsumer] = [*self._busy, *self._quiet, *self._seldom]

    def requested_share(self) -> float:
        """Return the share that they would use at their shortest intervals."""
        return sum(each.requested_share() for each in self._consumers) + self._of_quiet

    def least_share(self) -> float:
        """Return the share that they would use at their longest intervals."""
        return sum(each.least_share() for each in self._consumers) + self._of_quiet

    def limit_to(self, share: float, now: float) -> None:
        """Divide `share` among them."""
        limit_all(self._seldom, share * _SELDOM_PART, now)
        share -= sum(runner.share_in_force() for runner in self._seldom) + self._of_quiet
        busy_share = share * (1 - _QUIET_PART) if self._quiet else share
        requested = sum(slot.requested_share() for slot in self._busy)
        full_rate = requested <= self._budget * _FULL_RATE_PART
        busy_share = max(busy_share, requested if full_rate else self._budget * _BUSY_PART)
        limit_all(self._busy, busy_share, now)
        used = min(busy_share, requested)
        costs = [each.schedule.cost for each in self._quiet]
        intervals = even_intervals(costs, self._interval, max(share - used, share * _QUIET_PART))
        usual = median_low(intervals) if intervals else 0.0
        if not usual <= self.quiet_interval <= usual * _LITTLE_LONGER:
            self.quiet_interval = usual
        for each, seconds in zip(self._quiet, intervals, strict=True):
            each.set_min_interval(self.quiet_interval if seconds == usual else seconds, now)
