"""Names of the containers and pods in which listeners run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.host_files import FileReader, HostFiles
from exporter.owners.runtimes.daemon import Daemons
from exporter.owners.runtimes.daemon_roots import find_roots
from exporter.owners.runtimes.documents import DocumentReader
from exporter.owners.runtimes.lookup import look_up
from exporter.owners.runtimes.names import NO_NAMES, ContainerNames
from exporter.owners.runtimes.roots import DEFAULT_ROOTS
from exporter.owners.runtimes.scope import container_path

# A socket may listen before its runtime has written the name of the container to disk.
_MAX_LOOKUPS = 4
_RETRY_SECONDS = 5.0
# Ids are never reused, so an entry stays valid; the limit is for memory.
_MAX_ENTRIES = 16384
# As many digits of an id as docker ps and crictl ps show.
SHORT_ID_DIGITS = 12

_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Entry:
    location: CgroupLocation
    names: ContainerNames = NO_NAMES
    lookups_left: int = _MAX_LOOKUPS
    next_lookup: float | None = None

    def due(self, now: float) -> bool:
        return self.lookups_left > 0 and (self.next_lookup is None or now >= self.next_lookup)

    @property
    def complete(self) -> bool:
        names, location = self.names, self.location
        contained = location.container_id or location.task
        return bool(names.container or not contained) and bool(names.pod or not location.pod_uid)

    def add(self, found: ContainerNames) -> None:
        self.names = found.or_else(self.names)

    def begin_lookup(self, now: float) -> None:
        self.next_lookup = now + _RETRY_SECONDS

    def end_lookup(self) -> None:
        self.lookups_left = 0 if self.complete else self.lookups_left - 1


class ContainerNameCache:
    """Names by container and pod, read once, and a few more times while any of them is missing.

    Where the places that are known do not have one, it is looked for daemons that keep their files elsewhere.
    """

    def __init__(
        self,
        files: FileReader | None = None,
        daemons: Daemons | None = None,
        max_entries: int = _MAX_ENTRIES,
    ) -> None:
        """Read files of this host unless told otherwise; without `daemons` only default places are known."""
        self._files = HostFiles() if files is None else files
        self._daemons = daemons
        self._roots = DEFAULT_ROOTS
        self._max_entries = max_entries
        self._entries: dict[_Key, _Entry] = {}

    def due(self, now: float) -> bool:
        """Return whether the names of any entry should be read again (`now` in monotonic seconds)."""
        return any(entry.due(now) for entry in self._entries.values())

    def incomplete(self, location: CgroupLocation) -> bool:
        """Return whether a name at this location is missing and will be read again."""
        entry = self._entries.get(_key(location))
        return entry is not None and entry.lookups_left > 0

    def update(self, locations: Iterable[CgroupLocation], now: float) -> Iterator[None]:
        """Read the names of what runs at these locations, and all that are due, one container a step."""
        for location in locations:
            if location.container_id or location.pod_uid or location.task:
                self._entries.setdefault(_key(location), _Entry(location))
        while len(self._entries) > self._max_entries:
            del self._entries[next(iter(self._entries))]
        due = [entry for entry in self._entries.values() if entry.due(now)]
        for entry in due:
            entry.begin_lookup(now)
        yield from self._look_up(due)
        if self._daemons is not None and not all(entry.complete for entry in due):
            before = self._roots
            yield from self._daemons.find(now)
            self._roots = find_roots(self._daemons.found, DocumentReader(self._files))
            yield
            if self._roots != before:
                yield from self._look_up([entry for entry in due if not entry.complete])
        for entry in due:
            entry.end_lookup()

    def _look_up(self, entries: Iterable[_Entry]) -> Iterator[None]:
        documents = DocumentReader(self._files)
        for entry in entries:
            entry.add(look_up(documents, self._roots, entry.location))
            yield

    def names_at(self, location: CgroupLocation) -> ContainerNames:
        """Return the names that are known now; for a container without a name its short id."""
        entry = self._entries.get(_key(location))
        names = entry.names if entry is not None else NO_NAMES
        fallback = ContainerNames(
            location.container or location.container_id[:SHORT_ID_DIGITS], runtime=location.runtime
        )
        return names.or_else(fallback)


def is_short_id(name: str, location: CgroupLocation) -> bool:
    """Tell whether the name of the container at a location is none, but the beginning of its id."""
    return bool(name) and name == location.container_id[:SHORT_ID_DIGITS]


def _key(location: CgroupLocation) -> _Key:
    # A user may make a cgroup with the id of another's container.
    return location.container_id or location.task, location.pod_uid, container_path(location)
