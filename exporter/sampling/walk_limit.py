"""How often the connections of the host are walked over, for all network namespaces together.

Linux keeps the connections of all namespaces in one hash table. Whoever asks for those of one namespace has
every bucket looked at (inet_diag_dump_icsk, net/ipv4/inet_diag.c; established_get_first,
net/ipv4/tcp_ipv4.c), so that costs what the host has of buckets and connections, for each namespace again.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from exporter.config.model import Config
from exporter.sampling.average import averaged
from exporter.sampling.schedule import MAX_INTERVAL_SECONDS

# The part of cpu_budget that walks may take together.
_PART_OF_BUDGET: Final = 0.25
# What they may take of that part, however little is left.
_LEAST_PART: Final = 0.1
# What costs no more is not worth waiting for, however many namespaces there are.
_CHEAP_SECONDS: Final = 0.0003
# What walks may take where every namespace has one: no other method is worth its uncertainty then.
_NEGLIGIBLE_SECONDS: Final = 0.001
# What was measured so long ago may be different now.
_MEASURED_SECONDS: Final = 60.0
# What walks took counts half after this time: where one is costly there is none for some seconds.
_HALF_LIFE_SECONDS: Final = 8.0
# Who has not claimed again for so long needs no walk any more, or is gone.
_CLAIM_SECONDS: Final = 5.0


class CostEstimate:
    """What something costs, in seconds of processor time: the lesser of the last two that were measured.

    What comes in between makes single times longer, and none shorter. `latest` is the estimate however old
    it is, None where nothing was measured, and `confirmed` the same where it was measured twice.
    """

    def __init__(self) -> None:
        self.latest: float | None = None
        self.confirmed: float | None = None
        self._last: float | None = None
        self._measured_at = 0.0

    def measured(self, seconds: float, now: float) -> None:
        """Take what it cost at `now`, in monotonic seconds."""
        if self._last is not None:
            self.confirmed = min(self._last, seconds)
        self.latest = seconds if self.confirmed is None else self.confirmed
        self._last, self._measured_at = seconds, now

    def seconds(self, now: float) -> float | None:
        """Return the estimate; None where it was not measured within the last minute."""
        return None if now - self._measured_at > _MEASURED_SECONDS else self.latest


class Need(enum.IntEnum):
    """Why a walk is wanted; the greater is the more urgent."""

    # A figure that other evidence supports, to be confirmed once more.
    RECHECK = 0
    # A figure that was never confirmed.
    UNCONFIRMED = 1
    # Nothing else tells the figure.
    UNKNOWN = 2


class Claim(NamedTuple):
    """A need. Of one kind the greater weight is first, and of equal ones that which has waited longest."""

    need: Need
    weight: float = 0.0


class _Waiting(NamedTuple):
    claim: Claim
    since: float
    claimed_at: float


class WalkLimit:
    """Decides who may walk. One thread uses it; times are monotonic seconds, shares are of one core.

    There is one walk in a tick at most, walks take a quarter of cpu_budget at most, and of those that want
    one the most urgent is first. `cost` is what a dump of all half-open connections costs, and `cpu_seconds`
    the processor time of all walks that were noted.
    """

    def __init__(self, config: Config) -> None:
        """Know no namespace and no walk yet."""
        self.cost = CostEstimate()
        self.cpu_seconds = 0.0
        self._namespaces = 1
        self._waiting: dict[object, _Waiting] = {}
        # When the last walk was, and what it took.
        self._walked_at = 0.0
        self._walk_seconds = 0.0
        # When the budget was divided last, and what walks have taken since, and those that were overdue.
        self._divided_at: float | None = None
        self._seconds = self._overdue_seconds = 0.0
        # The shares that both took, averaged.
        self._used_share = self._overdue_share = 0.0
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take another budget."""
        self._most = config.sampling.cpu_budget_ratio * _PART_OF_BUDGET
        self._share = self._most

    def set_namespaces(self, count: int) -> None:
        """Take how many namespaces are sampled."""
        self._namespaces = max(1, count)

    def negligible(self, cost: float) -> bool:
        """Tell whether a walk takes so little processor time that each namespace may walk at any time."""
        return cost * self._namespaces <= _NEGLIGIBLE_SECONDS

    def affordable(self, cost: float | None) -> bool:
        """Tell whether each namespace may do what takes so much processor time without being allowed to.

        That fits into the budget where each does it at the longest interval. What it takes may not be known.
        """
        most = self._most * MAX_INTERVAL_SECONDS / self._namespaces
        return cost is None or cost <= max(_CHEAP_SECONDS, most)

    def allows(self, who: object, claim: Claim, now: float) -> bool:
        """Tell whether `who` may walk now; where not, it claims again when it counts the next time."""
        known = self._waiting.get(who)
        mine = self._waiting[who] = _Waiting(claim, known.since if known is not None else now, now)
        if now < self._walked_at + self._walk_seconds / self._share:
            return False
        self._waiting = {
            each: its for each, its in self._waiting.items() if now - its.claimed_at <= _CLAIM_SECONDS
        }
        if any((its.claim, -its.since) > (claim, -mine.since) for its in self._waiting.values()):
            return False
        self.withdraw(who)
        return True

    def withdraw(self, who: object) -> None:
        """Forget the claim of one that needs no walk any more."""
        self._waiting.pop(who, None)

    def note(self, seconds: float, now: float, *, overdue: bool = False) -> None:
        """Note what a walk took; `overdue` where it was not allowed, but could not wait any longer."""
        self.cpu_seconds += seconds
        self._seconds += seconds
        if overdue:
            self._overdue_seconds += seconds
        self._walked_at, self._walk_seconds = now, seconds

    def requested_share(self) -> float:
        """Return the share that walks have taken lately, as far as they may."""
        return min(self._used_share, self._most)

    def least_share(self) -> float:
        """Return the share that overdue walks have taken lately."""
        return self._overdue_share

    def limit_to(self, share: float, now: float) -> None:
        """Take the share that they get: where it is less than what they took, they are as much slower."""
        requested = self.requested_share()
        granted = min(1.0, share / requested) if requested > 0 else 1.0
        # Where nothing is left of the budget they go on: what they tell is not known otherwise.
        self._share = self._most * max(granted, _LEAST_PART)
        passed = now - self._divided_at if self._divided_at is not None else 0.0
        if passed > 0:
            used, overdue = self._seconds / passed, self._overdue_seconds / passed
            self._used_share = averaged(self._used_share, used, passed, _HALF_LIFE_SECONDS)
            self._overdue_share = averaged(self._overdue_share, overdue, passed, _HALF_LIFE_SECONDS)
        if passed > 0 or self._divided_at is None:
            self._seconds = self._overdue_seconds = 0.0
            self._divided_at = now
