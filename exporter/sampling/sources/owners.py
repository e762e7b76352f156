"""Source `owners`: the owners of listeners in every namespace, searched in short steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import Method
from exporter.owners.search import OwnerSearch
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.source import Source

# How long one step of the search may keep the other sources waiting.
_STEP_SECONDS: Final = 0.01
# Where sockets come and go all the time, this many times what it takes to collect them passes before they
# are collected again.
_COLLECT_PAUSE: Final = 50


@dataclass(frozen=True, slots=True)
class SearchStep:
    """Whether a step brought a part of the search to its end, so that owners can be given."""

    ended: bool


class Owners(Source[SearchStep]):
    """Looks for the owners of new sockets."""

    NAME: ClassVar = "owners"
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
        # The version of each table's sockets that was collected last.
        self._collected: dict[ListenerTable, int] = {}
        # Where an owner may still change: on a host with many namespaces most are settled.
        self._unsettled: set[ListenerTable] = set()
        # A socket is MPTCP's all its life, so a namespace is asked again only after its sockets changed.
        self._mptcp: dict[ListenerTable, frozenset[int]] = {}
        self._mptcp_stale: set[ListenerTable] = set()

    @property
    def method(self) -> str:
        """`procfs`: there is no other."""
        return Method.PROCFS

    @property
    def sockets_without_owner(self) -> int:
        """How many sockets have no known owner."""
        return self._search.count_without_owner()

    def set_namespaces(self, namespaces: Mapping[ListenerTable, Namespace]) -> None:
        """Take the namespaces that are sampled now, by the tables of their listeners."""
        self._namespaces = namespaces

    def pending(self, now: float) -> bool:
        """Collect sockets where they changed, and tell whether there is an owner to look for or to give."""
        changed = [table for table in self._namespaces if self._collected.get(table) != table.sockets_version]
        left = len(self._collected) > len(self._namespaces)
        collected = (changed or left) and (self._collect_at is None or now >= self._collect_at)
        if collected:
            self._collect(changed, now)
        pending = self._search.pending(now)
        self._first_search = self._first_search and pending
        return pending or bool(collected)

    def ask(self, now: float) -> SearchStep:
        """Search for 10 ms; the very first search goes on to its end, so that the first page has owners."""
        until = self._clock.elapsed() + _STEP_SECONDS
        to_the_end, self._first_search = self._first_search, False
        ended = self._search.step(now, lambda: not to_the_end and self._clock.elapsed() > until)
        ended = ended or not self._search.pending(now)
        if ended:
            self._ask_mptcp()
        return SearchStep(ended)

    def apply(self, answer: SearchStep, now: float) -> None:  # noqa: ARG002
        """Give listeners the owners that were found. Raises KernelError where a process hides sockets."""
        if answer.ended:
            unsettled, self._unsettled = self._unsettled, self._mptcp_stale.copy()
            for table in unsettled & self._namespaces.keys():
                self._set_owners(table)
        if self._search.access_denied:
            raise UnavailableError("the processes of some sockets may not be seen", "EACCES")

    def _collect(self, changed: Sequence[ListenerTable], now: float) -> None:
        started = self._clock.elapsed()
        self._unsettled.update(changed)
        self._mptcp_stale.update(changed)
        sockets: dict[int, int] = {}
        for table in self._namespaces:
            sockets |= table.inodes()
        self._collected = {table: table.sockets_version for table in self._namespaces}
        self._search.set_sockets(sockets, now)
        self._collect_at = now + _COLLECT_PAUSE * (self._clock.elapsed() - started)

    def _ask_mptcp(self) -> None:
        """Ask which sockets are MPTCP's. Where a namespace cannot tell, what it told before holds."""
        self._mptcp = {table: known for table, known in self._mptcp.items() if table in self._namespaces}
        stale, self._mptcp_stale = self._mptcp_stale & self._namespaces.keys(), set()
        for table in stale:
            try:
                self._mptcp[table] = self._namespaces[table].mptcp_inodes()
            except KernelError as error:
                # The namespace's own sources fail as well and are published so; owners are found without it.
                self.stats.count_error(error)
                self._mptcp_stale.add(table)

    def _set_owners(self, table: ListenerTable) -> None:
        mptcp = self._mptcp.get(table, frozenset())
        for state in [each for each in table.states.values() if each.group.members]:
            # One that was not looked for yet keeps its owner, or waits for its first.
            if self._search.searched(state.group):
                inodes = (member.listener.inode for member in state.group.members.values())
                owner = self._search.owner_of(state.group)
                table.set_owner(state, owner, mptcp=any(inode in mptcp for inode in inodes))
            if not self._search.final(state.group):
                self._unsettled.add(table)
