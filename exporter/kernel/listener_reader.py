"""Reading the listeners of one family in one namespace, by whichever method is in force."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from exporter.kernel.errors import KernelError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.family import SocketFamily
from exporter.kernel.procfs.comparison import TableComparison
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.table import ProcfsTable
from exporter.kernel.records import Changes, Method
from exporter.kernel.sock_diag.comparison import DumpComparison
from exporter.kernel.sock_diag.diag_socket import DiagSockets
from exporter.kernel.sock_diag.dump import RepeatedDump
from exporter.kernel.sock_diag.interface import InterfaceNames

# How late it may be noticed that the interface of a listener has another name.
_NAME_SECONDS: Final = 1.0
# A listener that closed is known until two dumps lack it. Where dumps are further apart than this, what the
# one before has told of it would become older than what may be published, so it is looked again at once.
_LOOK_AGAIN_SECONDS: Final = 2.0


class ListenerReader:
    """Returns what has changed since the last read. `fallback` has the method in force."""

    def __init__(
        self, family: SocketFamily, sockets: DiagSockets, files: ProcfsFiles, method: Method
    ) -> None:
        """Take what the namespace is read by; nothing is read yet."""
        self.fallback = MethodFallback(method)
        self._family = family
        self._sockets = sockets
        self._files = files
        self._table = None if family.table is None else family.table()
        self._requests = tuple(RepeatedDump(request) for request in family.rows.requests)
        self._interfaces = InterfaceNames(sockets)
        self._dumps = DumpComparison(family.rows, self._interfaces)
        # When the names of interfaces are read again.
        self._names_at = 0.0
        self._dumped_at: float | None = None
        self._tables = TableComparison()
        self._last: DumpComparison | TableComparison = self._dumps

    def read(self, now: float) -> Changes:
        """Read all listeners, at `now` in monotonic seconds. Raises KernelError.

        What has changed before an error is returned by the next read that succeeds.
        """
        table = self._table
        if table is None:
            return self._dump(now)
        return self.fallback.ask(
            now, sock_diag=lambda: self._dump(now), procfs=lambda: self._read_table(table)
        )

    def _dump(self, now: float) -> Changes:
        read_names = now >= self._names_at
        changes = self._dumps.update(self._datagrams(), read_names=read_names)
        late = self._dumped_at is not None and now - self._dumped_at > _LOOK_AGAIN_SECONDS
        self._dumped_at = now
        if late and self._dumps.any_missing:
            changes = self._look_again(changes)
        if read_names:
            self._names_at = now + _NAME_SECONDS
        if self._last is self._dumps:
            return changes
        changes = replace(changes, closed=tuple(self._tables.known))
        self._last, self._tables = self._dumps, TableComparison()
        return changes

    def _look_again(self, first: Changes) -> Changes:
        """Return what this dump and another one changed; where the other fails, what this one did."""
        try:
            second = self._dumps.update(self._datagrams())
        except KernelError:
            return first
        return _both(first, second)

    def _datagrams(self) -> list[bytes]:
        if len(self._requests) == 1:
            return self._requests[0].read(self._sockets)
        return [datagram for request in self._requests for datagram in request.read(self._sockets)]

    def _read_table(self, table: ProcfsTable) -> Changes:
        changes = self._tables.update(table.listeners(self._files))
        if self._last is self._tables:
            return changes
        # The two methods know a socket by different numbers.
        changes = replace(changes, closed=tuple(self._dumps.known))
        self._last, self._dumps = self._tables, DumpComparison(self._family.rows, self._interfaces)
        return changes


def _both(first: Changes, second: Changes) -> Changes:
    """Return what two dumps changed one after the other: each listener is closed and opened once at most."""
    gone = set(second.closed)
    # The second may have closed what the first has opened, which nobody knows yet.
    unknown = {listener.cookie for listener, _ in first.opened}.difference(first.closed)
    return Changes(
        tuple(pair for pair in first.opened if pair[0].cookie not in gone) + second.opened,
        tuple(reading for reading in first.updated if reading.cookie not in gone) + second.updated,
        tuple({*first.closed, *second.closed} - unknown),
    )
