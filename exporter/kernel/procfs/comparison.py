"""What changed among the listeners between two reads of /proc/net."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.kernel.procfs.table import Found
from exporter.kernel.records import UNCHANGED, Changes, QueueReading


class TableComparison:
    """The listeners of one family in one namespace, as the last read showed them, by cookie."""

    def __init__(self) -> None:
        """Start with no listener known."""
        self.known: dict[int, QueueReading] = {}

    def update(self, found: Iterable[Found]) -> Changes:
        """Take one whole read and return what it changed."""
        now = {listener.cookie: (listener, reading) for listener, reading in found}
        opened = tuple(pair for cookie, pair in now.items() if cookie not in self.known)
        updated = tuple(
            reading for cookie, (_, reading) in now.items() if self.known.get(cookie, reading) != reading
        )
        closed = tuple(self.known.keys() - now.keys())
        self.known = {cookie: reading for cookie, (_, reading) in now.items()}
        return Changes(opened, updated, closed) if opened or updated or closed else UNCHANGED
