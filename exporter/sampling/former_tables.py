"""The listeners of namespaces that are gone: a container that starts again goes on with its counters.

Its namespace is another one, but its label is the same. A label that is the number of an inode says nothing:
the number is given to other namespaces. Nor does a name that was given by hand (ip-netns(8)), under which
something else may run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from exporter.config.model import Config
from exporter.kernel.text import printable
from exporter.listeners.registry import REMEMBER_SECONDS
from exporter.sampling.listener_table import ListenerTable

# The most that are kept: containers come and go.
_MAX_TABLES: Final = 256


class Former(Protocol):
    """What sampled a namespace."""

    @property
    def name(self) -> str:
        """The label of the namespace."""
        ...

    @property
    def table(self) -> ListenerTable:
        """Its listeners."""
        ...


class FormerTables:
    """Tables by the label of their namespace. The sampling thread alone calls what is here."""

    def __init__(self, make: Callable[[str, Config, str], ListenerTable] = ListenerTable) -> None:
        """Take what makes a table of a label, the configuration and the number of a namespace."""
        self._make = make
        # With the time at which each namespace went, in monotonic seconds; the one that went last is last.
        self._tables: dict[str, tuple[float, ListenerTable]] = {}

    def keep(self, given: bytes, former: Former, now: float) -> None:
        """Keep the table of a namespace that is gone, whose file under /run/netns has the name `given`.

        The caller holds the lock.
        """
        self._forget_old(now)
        netns, table = former.name, former.table
        if netns.isdecimal() or netns == printable(given):
            return
        table.set_syn_recv({})
        table.close_all(now)
        self._tables[netns] = now, table
        if len(self._tables) > _MAX_TABLES:
            del self._tables[next(iter(self._tables))]

    def table(self, netns: str, config: Config, number: str, now: float) -> ListenerTable:
        """Return the table for a namespace with this label and number, which another may have had."""
        self._forget_old(now)
        if netns not in self._tables:
            return self._make(netns, config, number)
        _, table = self._tables.pop(netns)
        table.reopen(config, number, now)
        return table

    def _forget_old(self, now: float) -> None:
        while self._tables:
            netns, (went_at, _) = next(iter(self._tables.items()))
            if now - went_at <= REMEMBER_SECONDS:
                return
            del self._tables[netns]
