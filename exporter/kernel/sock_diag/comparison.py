"""What changed among the listeners since the last sample, without decoding what did not.

A datagram is compared with the one that came in its place last time, a row of a changed datagram
with the row in its place, and only rows that are new are decoded. A listener that is missing gets
one sample of grace: sockets that churn on one port make the kernel skip and repeat rows, and it
never says so (sock_diag does not set NLM_F_DUMP_INTR).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import zip_longest

from exporter.kernel.records import UNCHANGED, Changes, Listener, QueueReading
from exporter.kernel.sock_diag.messages import different_messages, messages


@dataclass(frozen=True, slots=True)
class RowDecoder:
    """How the rows of one protocol are read."""

    cookie: Callable[[bytes], int]
    listener: Callable[[bytes], Listener]
    reading: Callable[[bytes], QueueReading]


class DumpComparison:
    """The listeners of one namespace and protocol, as the last dump left them."""

    def __init__(self, decoder: RowDecoder) -> None:
        """Start with no listener known."""
        self._decoder = decoder
        self._kept: list[bytes] = []
        self.known: set[int] = set()
        self._missing: set[int] = set()

    def update(self, datagrams: Iterable[bytes]) -> Changes:
        """Fold one whole dump in and return what it changed.

        Nothing is remembered of a dump that fails half-way: the error goes to the caller and the
        next dump is compared with the last good one.
        """
        kept = self._kept
        fresh = list(datagrams)
        if fresh == kept and not self._missing:
            return UNCHANGED
        updated, stale_rows, new_rows = self._different_rows(fresh)
        opened: dict[int, tuple[Listener, QueueReading]] = {}
        decode = self._decoder
        for row in new_rows:
            reading = decode.reading(row)
            if reading.cookie in self.known:
                updated[reading.cookie] = reading
            else:
                opened[reading.cookie] = (decode.listener(row), reading)
        closed = self._settle_missing(fresh, stale_rows, updated)
        self._kept = fresh
        self.known.update(opened)
        self.known.difference_update(closed)
        return Changes(tuple(opened.values()), tuple(updated.values()), closed)

    def _different_rows(self, fresh: list[bytes]) -> tuple[dict[int, QueueReading], set[bytes], list[bytes]]:
        """Return what moved in its place, the rows that left, and those that came in the kernel's order."""
        cookie_of, read = self._decoder.cookie, self._decoder.reading
        updated: dict[int, QueueReading] = {}
        left: list[bytes] = []
        came: list[bytes] = []
        for old, new in zip_longest(self._kept, fresh, fillvalue=b""):
            if old == new:
                continue
            for old_row, new_row in different_messages(old, new):
                if old_row and new_row and (cookie := cookie_of(new_row)) == cookie_of(old_row):
                    updated[cookie] = read(new_row)
                else:
                    left.append(old_row)
                    came.append(new_row)
        gone = set(left)
        stale = gone.difference(came)
        return updated, stale - {b""}, [row for row in came if row and row not in gone]

    def _settle_missing(
        self, fresh: list[bytes], stale: set[bytes], updated: dict[int, QueueReading]
    ) -> tuple[int, ...]:
        """Close what is missing for the second time; what is missing for the first gets its grace."""
        suspects = {self._decoder.cookie(row) for row in stale}.difference(updated)
        if not suspects and not self._missing:
            return ()
        present = {self._decoder.cookie(row): row for datagram in fresh for row in messages(datagram)}
        # A row that the kernel repeated may have left one place and still stand in another.
        updated.update(
            (cookie, self._decoder.reading(present[cookie])) for cookie in suspects & present.keys()
        )
        absent = (suspects | self._missing) - present.keys()
        closed = absent & self._missing
        self._missing = absent - closed
        return tuple(closed)
