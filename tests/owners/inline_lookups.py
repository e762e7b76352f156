"""Lookups that are made at once, in the thread that asks for them."""

from __future__ import annotations

from collections import deque

from exporter.owners.lookup_threads import Lookup


class InlineLookups:
    """A LookupRunner that makes each lookup at once, or keeps it while it is `held` for the test to make."""

    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        self.kept: deque[Lookup] = deque()
        self.watched = 0

    def add(self, lookup: Lookup) -> None:
        if self.held:
            self.kept.append(lookup)
        else:
            lookup.run()

    def replace_hung(self) -> None:
        self.watched += 1

    def run_one(self) -> None:
        """Make the lookup that was kept first."""
        self.kept.popleft().run()
