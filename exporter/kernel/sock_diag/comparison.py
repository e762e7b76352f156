"""What changed among the listeners since the last sample, without decoding what did not.

A datagram is compared with the one at its position in the last dump, a row of a changed datagram with the row
at its position, and only rows that are new are decoded. A listener that is missing counts as closed when the
next dump lacks it too: sockets that open and close on one port make the kernel skip and repeat rows, and
sock_diag does not set NLM_F_DUMP_INTR to tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from exporter.kernel.records import UNCHANGED, Changes, Listener, QueueReading
from exporter.kernel.sock_diag.messages import different_messages, messages
from exporter.kernel.sock_diag.rows import ListenerRows


class DumpComparison:
    """The listeners of one family in one namespace, as the last dump showed them.

    `known` has the cookies of the listeners that are open.
    """

    def __init__(self, rows: ListenerRows) -> None:
        """Start with no listener known."""
        self._rows = rows
        self._last: list[bytes] = []
        self.known: set[int] = set()
        self._missing: set[int] = set()

    def update(self, datagrams: Iterable[bytes]) -> Changes:
        """Take one whole dump and return what it changed.

        Nothing is kept of a dump that fails: the error goes to the caller, and the next dump is compared with
        the last good one.
        """
        fresh = list(datagrams)
        if fresh == self._last and not self._missing:
            return UNCHANGED
        updated, left, entered = self._different_rows(fresh)
        opened: dict[int, tuple[Listener, QueueReading]] = {}
        for row in entered:
            reading = self._rows.reading(row)
            if reading.cookie in self.known:
                updated[reading.cookie] = reading
            else:
                opened[reading.cookie] = (self._rows.listener(row), reading)
        closed = self._close_missing(fresh, left, updated)
        self._last = fresh
        self.known.update(opened)
        self.known.difference_update(closed)
        return Changes(tuple(opened.values()), tuple(updated.values()), closed)

    def _different_rows(self, fresh: list[bytes]) -> tuple[dict[int, QueueReading], set[bytes], list[bytes]]:
        """Return new readings of sockets at their old positions, rows that left, and rows that are new."""
        cookie_of, read = self._rows.cookie, self._rows.reading
        updated: dict[int, QueueReading] = {}
        before: list[bytes] = []
        after: list[bytes] = []
        for old, new in zip_longest(self._last, fresh, fillvalue=b""):
            if old == new:
                continue
            for old_row, new_row in different_messages(old, new):
                if old_row and new_row and (cookie := cookie_of(new_row)) == cookie_of(old_row):
                    updated[cookie] = read(new_row)
                else:
                    before.append(old_row)
                    after.append(new_row)
        # Rows that only changed their position are in both.
        known = set(before)
        left = known.difference(after)
        return updated, left - {b""}, [row for row in after if row and row not in known]

    def _close_missing(
        self, fresh: list[bytes], left: set[bytes], updated: dict[int, QueueReading]
    ) -> tuple[int, ...]:
        """Return the sockets that two dumps lacked, and note those that are missing for the first time."""
        suspects = {self._rows.cookie(row) for row in left}.difference(updated)
        if not suspects and not self._missing:
            return ()
        present = {self._rows.cookie(row): row for datagram in fresh for row in messages(datagram)}
        # A row that the kernel repeated may have left one position and still be at another.
        updated.update((cookie, self._rows.reading(present[cookie])) for cookie in suspects & present.keys())
        absent = (suspects | self._missing) - present.keys()
        closed = absent & self._missing
        self._missing = absent - closed
        return tuple(closed)
