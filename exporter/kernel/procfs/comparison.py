"""What changed among the listeners between two reads of /proc/net."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.kernel.procfs.table import Found
from exporter.kernel.records import UNCHANGED, Changes


class TableComparison:
    """The listeners of one family in one namespace, as the last read showed them, by cookie."""

    def __init__(self) -> None:
        """Start with no listener known."""
        self.known: dict[int, Found] = {}

    def update(self, found: Iterable[Found]) -> Changes:
        """Take one whole read and return what it changed.

        A listener that has changed itself, as one that listens on another port, is closed, and opened again.
        """
        now = {listener.cookie: (listener, reading) for listener, reading in found}
        same = {
            cookie for cookie in now.keys() & self.known.keys() if now[cookie][0] == self.known[cookie][0]
        }
        opened = tuple(pair for cookie, pair in now.items() if cookie not in same)
        updated = tuple(
            pair[1] for cookie, pair in now.items() if cookie in same and pair != self.known[cookie]
        )
        closed = tuple(self.known.keys() - same)
        self.known = now
        return Changes(opened, updated, closed) if opened or updated or closed else UNCHANGED
