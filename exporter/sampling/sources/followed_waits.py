"""How long connections had waited that left the accept queues of one namespace."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from exporter.config.model import Config, Export
from exporter.kernel.family import family_of
from exporter.listeners.group import ListenerGroup
from exporter.sampling.followed_limit import FollowedLimit
from exporter.sampling.history.waits import NO_WAITS, WaitHistogram, histogram_of
from exporter.sampling.listener_table import ListenerTable

# A socket counts as closed when so many samples of the listeners lacked it (kernel/sock_diag/comparison.py).
_SAMPLES_TO_CLOSE: Final = 2


class _Ended(NamedTuple):
    """Waits that count if these sockets still listen when there are so many samples of the listeners."""

    group: ListenerGroup
    sockets: Collection[int]
    samples: int
    waits: WaitHistogram


class FollowedWaits:
    """The waits that have ended, kept until it is certain that the listener has not.

    When a socket stops listening the kernel resets what waited at it, and none of that was accepted. It may
    have been any of those at the group, so whatever left the group in that interval counts as little.
    """

    def __init__(self, table: ListenerTable, config: Config, limit: FollowedLimit) -> None:
        """Have no wait yet; `limit` says how many connections may be followed."""
        self.limit = limit
        self._table = table
        self._ended: deque[_Ended] = deque()
        self.configure(config)

    def __bool__(self) -> bool:
        """Tell whether any wait has ended that was not taken yet."""
        return bool(self._ended)

    def configure(self, config: Config) -> None:
        """Take another configuration. `published` tells whether any listener may have a histogram."""
        exports = (config.defaults.export, *(rule.export for rule in config.rules))
        self.published = Export.FULL in exports

    def add(self, group: ListenerGroup, sockets: Collection[int], waits: Iterable[float]) -> None:
        """Take the waits, in seconds, of connections that left a group when it had these sockets.

        Those are left out that have no histogram, and those of programs that share an endpoint: which of
        them a connection belongs to is not known all the time (Matcher.find_waiting).
        """
        if self._has_histogram(group) and not self._table.matcher().sharing(group):
            samples = self._samples(group) + _SAMPLES_TO_CLOSE
            self._ended.append(_Ended(group, sockets, samples, histogram_of(waits)))

    def take(self) -> Mapping[ListenerGroup, WaitHistogram]:
        """Return the waits that count by now, and forget those that never will."""
        counted: dict[ListenerGroup, WaitHistogram] = {}
        undecided: deque[_Ended] = deque()
        for ended in self._ended:
            if not ended.group.members.keys() >= set(ended.sockets):
                continue
            if self._samples(ended.group) < ended.samples:
                undecided.append(ended)
            else:
                counted[ended.group] = counted.get(ended.group, NO_WAITS).plus(ended.waits)
        self._ended = undecided
        return counted

    def _has_histogram(self, group: ListenerGroup) -> bool:
        state = self._table.states.get(group)
        return state is not None and state.rule_match is not None and state.rule_match.export is Export.FULL

    def _samples(self, group: ListenerGroup) -> int:
        return self._table.accept_timelines[family_of(group.key.protocol)].samples
