"""Source `owners`: the owners of listeners in every namespace, searched in short steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import ClassVar, Final

from exporter.kernel.errors import KernelError
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.processes.process import Process
from exporter.kernel.records import Listener, Method
from exporter.owners.search import OwnerSearch
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.source import Source

# How long one step of the search may keep the other sources waiting.
_STEP_SECONDS: Final = 0.01
# The same where nothing is urgent: more of these fit into a small share, and a new socket waits for the next.
# To read one process at a time would wake the broker for each.
_SHORT_STEP_SECONDS: Final = 0.001
# Where sockets come and go all the time, this many times what it takes to collect them passes before they
# are collected again.
_COLLECT_PAUSE: Final = 50
_VERSION: Final = attrgetter("sockets_version")


@dataclass(frozen=True, slots=True)
class SearchStep:
    """Whether a step brought a part of the search to its end, so that owners can be given."""

    ended: bool


class Owners(Source[SearchStep]):
    """Looks for the owners of new sockets."""

    NAME: ClassVar = "owners"
    asks_for: ClassVar = "the processes that listen"
    # What is wrong holds as long as sockets without an owner do, though nothing is asked meanwhile.
    keeps_error_while_idle: ClassVar = True

    def __init__(self, search: OwnerSearch, clock: Clock) -> None:
        super().__init__(self.NAME)
        self._search = search
        self._clock = clock
        self._first_search = True
        # None where sockets may be collected at once.
        self._collect_at: float | None = None
        self._namespaces: Mapping[ListenerTable, Namespace] = {}
        # The sum of the versions of all tables when sockets were collected last, None to do so again.
        self._versions: int | None = None
        # The version of each table's sockets that was collected last.
        self._collected: dict[ListenerTable, int] = {}
        self._table_of: dict[int, ListenerTable] = {}
        # Where sockets have no owner yet, and sockets of which more may be found: most are settled.
        self._unsettled: set[ListenerTable] = set()
        self._incomplete: set[int] = set()
        # A socket is MPTCP's all its life, so a namespace is asked again only after its sockets changed.
        self._mptcp_stale: set[ListenerTable] = set()

    @property
    def method(self) -> str:
        """`procfs`: there is no other."""
        return Method.PROCFS

    @property
    def sockets_without_owner(self) -> int:
        """How many sockets have no known owner."""
        return self._search.count_without_owner()

    @property
    def unreadable_processes(self) -> int:
        """How many processes did not let their sockets be read, when all of them were searched last."""
        return self._search.unreadable_count

    @property
    def urgent(self) -> bool:
        """Whether there are sockets for which no search has looked yet."""
        return self._search.urgent

    @property
    def hung_lookups(self) -> int:
        """How many lookups of what is known of owners hung."""
        return self._search.hung_lookups

    def process_of(self, inode: int) -> Process | None:
        """Return the process that owns a socket; None where it is not known."""
        return self._search.process_of(inode)

    def may_hold(self, pid: int, inodes: Collection[int]) -> bool:
        """Tell whether a process holds any of these sockets, or does not let it be seen.

        Raises KernelError.
        """
        found = self._search.processes.sockets(pid)
        return any(each.denied or not each.inodes.isdisjoint(inodes) for each in found)

    def set_namespaces(self, namespaces: Mapping[ListenerTable, Namespace]) -> None:
        """Take the namespaces that are sampled now, by the tables of their listeners."""
        self._namespaces = namespaces
        self._versions = None

    def pending(self, now: float) -> bool:
        """Collect sockets where they changed, and tell whether there is an owner to look for or to give."""
        collected = False
        # On a host with many namespaces it matters that nothing is looked at one by one where none changed.
        versions = sum(map(_VERSION, self._namespaces))
        if versions != self._versions and (self._collect_at is None or now >= self._collect_at):
            self._versions = versions
            self._collect(now)
            collected = True
        pending = self._search.pending(now) or self._search.has_changes()
        self._first_search = self._first_search and pending
        return pending or collected

    def ask(self, now: float) -> SearchStep:
        """Search for 10 ms, or 1 where nothing is urgent.

        The very first search goes on to its end, so that the first page has owners.
        """
        until = self._clock.elapsed() + (_STEP_SECONDS if self.urgent else _SHORT_STEP_SECONDS)
        to_the_end, self._first_search = self._first_search, False
        ended = self._search.step(now, lambda: not to_the_end and self._clock.elapsed() > until)
        ended = ended or self._search.has_changes() or not self._search.pending(now)
        if ended:
            self._ask_mptcp()
        return SearchStep(ended)

    def apply(self, answer: SearchStep, now: float) -> None:
        """Give listeners the owners that were found. Raises KernelError where a process hides sockets."""
        if answer.ended:
            self._give_owners(now)
        if self._search.obstacle is not None:
            raise self._search.obstacle

    def _collect(self, now: float) -> None:
        started = self._clock.elapsed()
        changed = [table for table in self._namespaces if self._collected.get(table) != table.sockets_version]
        self._unsettled.update(changed)
        self._mptcp_stale.update(changed)
        listeners: list[Listener] = []
        self._table_of = {}
        for table in self._namespaces:
            listeners_of_one = table.listeners()
            listeners += listeners_of_one
            self._table_of.update((listener.inode, table) for listener in listeners_of_one)
        self._collected = {table: table.sockets_version for table in self._namespaces}
        self._search.set_sockets(listeners, now)
        self._collect_at = now + _COLLECT_PAUSE * (self._clock.elapsed() - started)

    def _ask_mptcp(self) -> None:
        """Ask which sockets are MPTCP's. Where a namespace cannot tell, what it told before holds."""
        stale, self._mptcp_stale = self._mptcp_stale & self._namespaces.keys(), set()
        for table in stale:
            try:
                inodes = self._namespaces[table].mptcp_inodes()
                self._incomplete |= table.mptcp.take(table.listeners(), inodes)
            except KernelError as error:
                # The namespace's own sources fail as well and are published so; owners are found without it.
                self.stats.count_error(error)
                self._mptcp_stale.add(table)

    def _give_owners(self, now: float) -> None:
        """Give the listeners owners of which more is known than before, and those that have none yet."""
        changed = self._search.take_changed() | self._incomplete
        tables = self._unsettled | {self._table_of[inode] for inode in changed & self._table_of.keys()}
        self._unsettled, self._incomplete = set(), set()
        for table in tables & self._namespaces.keys():
            listeners_of = {
                state.group: listeners
                for state in table.states.values()
                if (listeners := [member.listener for member in state.group.members.values()])
                and (state.owner is None or any(listener.inode in changed for listener in listeners))
            }
            # All at once: thousands of sockets may have one owner, and of new ones nothing may be known yet.
            owners = self._search.owners_of(chain.from_iterable(listeners_of.values()))
            for group, listeners in listeners_of.items():
                if owners.keys() & group.members.keys():
                    table.set_owners(group, owners, now)
                self._note_open(table, listeners)

    def _note_open(self, table: ListenerTable, listeners: Iterable[Listener]) -> None:
        """Note what is to be given again later."""
        for listener in listeners:
            if not self._search.searched(listener.inode):
                self._unsettled.add(table)
