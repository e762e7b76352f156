"""Reading the listeners of one family in one namespace, by whichever method is in force."""

from __future__ import annotations

import errno
from dataclasses import replace

from exporter.kernel.errors import UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.family import SocketFamily
from exporter.kernel.procfs.comparison import TableComparison
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.records import UNCHANGED, Changes, Method
from exporter.kernel.sock_diag.comparison import DumpComparison
from exporter.kernel.sock_diag.diag_socket import DiagSockets


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
        self._dumps = DumpComparison(family.rows)
        self._tables = TableComparison()
        self._last: DumpComparison | TableComparison = self._dumps

    def read(self, now: float) -> Changes:
        """Read all listeners, at `now` in monotonic seconds. Raises KernelError.

        What has changed before an error is returned by the next read that succeeds.
        """
        try:
            if self._family.table is None:
                return self._dump()
            return self.fallback.ask(now, sock_diag=self._dump, procfs=self._read_table)
        except UnavailableError as error:
            if self._family.optional and error.errno == errno.ENOENT:
                # sock_diag has no handler of a family that is not in the kernel (net/core/sock_diag.c).
                return self._none()
            raise

    def _none(self) -> Changes:
        """Return that every known listener closed."""
        closed = tuple(self._last.known)
        self._dumps = self._last = DumpComparison(self._family.rows)
        return Changes(closed=closed) if closed else UNCHANGED

    def _dump(self) -> Changes:
        changes = self._dumps.update(self._family.rows.dump(self._sockets))
        if self._last is self._dumps:
            return changes
        changes = replace(changes, closed=tuple(self._tables.known))
        self._last, self._tables = self._dumps, TableComparison()
        return changes

    def _read_table(self) -> Changes:
        assert self._family.table is not None  # noqa: S101  (asked for only where there is one)
        changes = self._tables.update(self._family.table.listeners(self._files))
        if self._last is self._tables:
            return changes
        # The two methods know a socket by different numbers.
        changes = replace(changes, closed=tuple(self._dumps.known))
        self._last, self._dumps = self._tables, DumpComparison(self._family.rows)
        return changes
