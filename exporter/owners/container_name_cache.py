"""Names of the containers and pods in which listeners run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.host_files import FileReader, HostFiles
from exporter.owners.runtime_files import NO_NAMES, ContainerNames, RuntimeFiles

# A socket may listen before its runtime has written the name of the container to disk.
_MAX_LOOKUPS = 4
_RETRY_SECONDS = 5.0
# Ids are never reused, so an entry stays valid; the limit is for memory.
_MAX_ENTRIES = 16384
# As many digits of an id as docker ps and crictl ps show.
_SHORT_ID_DIGITS = 12

_Key = tuple[str, str]


@dataclass(slots=True)
class _Entry:
    location: CgroupLocation
    names: ContainerNames = NO_NAMES
    lookups_left: int = _MAX_LOOKUPS
    next_lookup: float | None = None

    def due(self, now: float) -> bool:
        return self.lookups_left > 0 and (self.next_lookup is None or now >= self.next_lookup)

    def update(self, found: ContainerNames, now: float) -> None:
        self.names = found.or_else(self.names)
        self.lookups_left = 0 if _complete(self) else self.lookups_left - 1
        self.next_lookup = now + _RETRY_SECONDS


class ContainerNameCache:
    """Names by container and pod, read once, and a few more times while any of them is missing."""

    def __init__(self, files: FileReader | None = None, max_entries: int = _MAX_ENTRIES) -> None:
        self._files = HostFiles() if files is None else files
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
            if location.container_id or location.pod_uid:
                self._entries.setdefault(_key(location), _Entry(location))
        while len(self._entries) > self._max_entries:
            del self._entries[next(iter(self._entries))]
        files = RuntimeFiles(self._files)
        for entry in [entry for entry in self._entries.values() if entry.due(now)]:
            entry.update(_read_names(files, entry.location), now)
            yield

    def names_at(self, location: CgroupLocation) -> ContainerNames:
        """Return the names that are known now; for a container without a name its short id."""
        entry = self._entries.get(_key(location))
        names = entry.names if entry is not None else NO_NAMES
        fallback = ContainerNames(
            location.container or location.container_id[:_SHORT_ID_DIGITS], runtime=location.runtime
        )
        return names.or_else(fallback)


def _key(location: CgroupLocation) -> _Key:
    return location.container_id, location.pod_uid


def _complete(entry: _Entry) -> bool:
    names, location = entry.names, entry.location
    return bool(names.container or not location.container_id) and bool(names.pod or not location.pod_uid)


def _read_names(files: RuntimeFiles, location: CgroupLocation) -> ContainerNames:
    container_id, pod_uid = location.container_id, location.pod_uid
    kubernetes = files.kubernetes(container_id, pod_uid, nested=location.nested) if pod_uid else NO_NAMES
    if not container_id:
        return kubernetes
    match location.runtime:
        case "docker":
            names = files.docker(container_id)
        case "podman":
            names = files.podman(container_id)
        case "cri-o":
            names = files.crio(container_id)
        case "containerd" if pod_uid:
            # With the cgroupfs driver, Docker under cri-dockerd names its cgroups as containerd does.
            names = NO_NAMES if kubernetes.container else files.docker(container_id)
        case "containerd":
            names = files.nerdctl(container_id)
        case _:
            names = files.docker(container_id).or_else(files.podman(container_id))
            names = names.or_else(files.nerdctl(container_id))
    return kubernetes.or_else(names)
