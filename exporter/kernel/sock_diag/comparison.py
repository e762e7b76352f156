"""What changed among the listeners since the last sample, without decoding what did not.

A datagram is compared with the one at its position in the last dump, a row of a changed datagram with the row
at its position, and only rows that are new are decoded. A listener that is missing counts as closed when the
next dump lacks it too: sockets that open and close on one port make the kernel skip and repeat rows, and
sock_diag does not set NLM_F_DUMP_INTR to tell of it.

A socket may become another listener: bound to another interface after listen(2), or, where it was never
bound, on another port after shutdown(2) and listen(2). Then it is closed, and opened again.

A listener that is bound to an interface has the name of it in its address. A row has the index alone, and the
interface may be renamed or removed while the listener exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import zip_longest

from exporter.kernel.records import UNCHANGED, Changes, Listener, QueueReading
from exporter.kernel.sock_diag.interface import InterfaceNames
from exporter.kernel.sock_diag.messages import different_messages, messages
from exporter.kernel.sock_diag.rows import ListenerRows
from exporter.kernel.text import ip_address


class DumpComparison:
    """The listeners of one family in one namespace, as the last dump showed them."""

    def __init__(self, rows: ListenerRows, interfaces: InterfaceNames) -> None:
        """Take what names the interfaces of the namespace. Start with no listener known."""
        self._rows = rows
        self._interfaces = interfaces
        self._last: list[bytes] = []
        # As their rows have them.
        self._listeners: dict[int, Listener] = {}
        # Those that are bound to an interface, with the name of that.
        self._bound: dict[int, Listener] = {}
        self._missing: set[int] = set()

    @property
    def known(self) -> AbstractSet[int]:
        """The cookies of the listeners that are open."""
        return self._listeners.keys()

    @property
    def any_missing(self) -> bool:
        """Whether a listener was missing in the last dump that the one before had."""
        return bool(self._missing)

    def update(self, datagrams: Iterable[bytes], *, read_names: bool = False) -> Changes:
        """Take one whole dump and return what it changed.

        With `read_names` the names of interfaces are read anew: a listener whose interface has another one is
        closed, and opened with its new address.

        Nothing is kept of a dump that fails: the error goes to the caller, and the next dump is compared with
        the last good one.
        """
        fresh = list(datagrams)
        renamed = self._renamed() if read_names else frozenset()
        if fresh == self._last and not self._missing and not renamed:
            return UNCHANGED
        updated, left, entered = self._different_rows(fresh)
        if renamed:
            entered += [row for row in _all_messages(fresh) if self._rows.cookie(row) in renamed]
        opened: dict[int, tuple[Listener, QueueReading]] = {}
        # Those of thousands may have moved and changed, where one opens in front of them.
        moved = {self._rows.cookie(row): row for row in left} if entered else {}
        for row in entered:
            reading = self._rows.reading(row)
            before = None if reading.cookie in renamed else moved.get(reading.cookie)
            if before is not None and self._rows.same_listener(before, row):
                updated[reading.cookie] = reading
                continue
            listener = self._rows.listener(row)
            if reading.cookie not in renamed and self._listeners.get(reading.cookie) == listener:
                updated[reading.cookie] = reading
            else:
                opened[reading.cookie] = (listener, reading)
        bound = self._with_names(listener for listener, _ in opened.values())
        missing = self._close_missing(fresh, left, updated)
        # One that this dump lacks keeps its name until it is there again, or closed.
        reopened = self.known & opened.keys()
        for cookie in reopened:
            updated.pop(cookie, None)
        self._last = fresh
        for cookie in (*missing, *reopened):
            self._listeners.pop(cookie, None)
            self._bound.pop(cookie, None)
        self._listeners.update((cookie, listener) for cookie, (listener, _) in opened.items())
        self._bound |= bound
        return Changes(
            tuple((bound.get(cookie, listener), reading) for cookie, (listener, reading) in opened.items()),
            tuple(updated.values()),
            (*missing, *reopened),
        )

    def _renamed(self) -> frozenset[int]:
        """Return the listeners whose interface has another name than in their address. Raises KernelError."""
        now = self._with_names(self._bound.values())
        return frozenset(cookie for cookie, listener in self._bound.items() if now[cookie] != listener)

    def _with_names(self, listeners: Iterable[Listener]) -> dict[int, Listener]:
        """Return those that are bound to an interface, by cookie, with the name that it has now.

        Raises KernelError.
        """
        bound = [
            (listener, listener.endpoint)
            for listener in listeners
            if listener.endpoint is not None and listener.endpoint.interface
        ]
        names = self._interfaces.read({endpoint.interface for _, endpoint in bound})
        return {
            listener.cookie: replace(listener, address=ip_address(endpoint, names[endpoint.interface]))
            for listener, endpoint in bound
        }

    def _different_rows(self, fresh: list[bytes]) -> tuple[dict[int, QueueReading], set[bytes], list[bytes]]:
        """Return new readings of sockets at their old positions, rows that left, and rows that are new."""
        cookie_of, read, same_listener = self._rows.cookie, self._rows.reading, self._rows.same_listener
        updated: dict[int, QueueReading] = {}
        before: list[bytes] = []
        after: list[bytes] = []
        for old, new in zip_longest(self._last, fresh, fillvalue=b""):
            if old == new:
                continue
            for old_row, new_row in different_messages(old, new):
                if (
                    old_row
                    and new_row
                    and (cookie := cookie_of(new_row)) == cookie_of(old_row)
                    and same_listener(old_row, new_row)
                ):
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
        present = {self._rows.cookie(row): row for row in _all_messages(fresh)}
        # A row that the kernel repeated may have left one position and still be at another.
        updated.update((cookie, self._rows.reading(present[cookie])) for cookie in suspects & present.keys())
        absent = (suspects | self._missing) - present.keys()
        closed = absent & self._missing
        self._missing = absent - closed
        return tuple(closed)


def _all_messages(datagrams: Iterable[bytes]) -> Iterator[bytes]:
    return (row for datagram in datagrams for row in messages(datagram))
