"""Questions that remember: what the last answer was, and which way it was got."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import closing
from dataclasses import replace
from typing import Protocol

from exporter.kernel.fallback import MethodFallback
from exporter.kernel.procfs.listeners import Found, ProcfsComparison
from exporter.kernel.records import Changes, Endpoint
from exporter.kernel.sock_diag import syn_recv
from exporter.kernel.sock_diag.comparison import DumpComparison, RowDecoder

Dump = Callable[[], Iterable[bytes]]


class _Watch(Protocol):
    @property
    def known(self) -> Collection[int]: ...


class ListenerReader:
    """The listeners of one protocol in one namespace: each read returns what changed since the last."""

    def __init__(
        self, decoder: RowDecoder, dump: Dump, procfs: Callable[[], list[Found]], fallback: MethodFallback
    ) -> None:
        """Take the two ways to ask and the ladder that chooses."""
        self._decoder = decoder
        self._dump = dump
        self._procfs = procfs
        self.fallback = fallback
        self._by_diag = DumpComparison(decoder)
        self._by_procfs = ProcfsComparison()
        self._last: _Watch = self._by_diag

    def read(self, now: float) -> Changes:
        """Ask once, at `now` in monotonic seconds. Raises KernelError; nothing is lost by one."""
        return self.fallback.ask(now, sock_diag=self._read_diag, procfs=self._read_procfs)

    def _read_diag(self) -> Changes:
        changes = self._by_diag.update(self._dump())
        return self._leave_other(changes, self._by_diag)

    def _read_procfs(self) -> Changes:
        changes = self._by_procfs.update(self._procfs())
        return self._leave_other(changes, self._by_procfs)

    def _leave_other(self, changes: Changes, watch: _Watch) -> Changes:
        """Close what the other way had found, since the two know a socket by different numbers."""
        if watch is self._last:
            return changes
        left = tuple(self._last.known)
        self._last = watch
        if watch is self._by_diag:
            self._by_procfs = ProcfsComparison()
        else:
            self._by_diag = DumpComparison(self._decoder)
        return replace(changes, closed=left)


class SynRecvReader:
    """The half-open connections of one namespace, found by a walk over every connection there is."""

    def __init__(
        self,
        dump: Callable[[], Generator[bytes, None, None]],
        procfs: Callable[[], dict[Endpoint, int]],
        fallback: MethodFallback,
    ) -> None:
        """Take the two ways to ask and the ladder that chooses."""
        self._dump = dump
        self._procfs = procfs
        self.fallback = fallback

    def read(self, now: float) -> dict[Endpoint, int]:
        """Count the half-open connections of each endpoint, at `now` in monotonic seconds.

        Raises KernelError.
        """
        return self.fallback.ask(now, sock_diag=self._walk, procfs=self._procfs)

    def _walk(self) -> dict[Endpoint, int]:
        with closing(self._dump()) as datagrams:
            return syn_recv.count(datagrams)
