"""The names of the containers and pods in which listeners run, as the runtimes of this host know them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.host_files import FileReader, HostFiles
from exporter.owners.runtime_files import NO_NAMES, ContainerNames, RuntimeFiles

# A socket may listen before its runtime has written down how its container is called.
_LOOKS = 4
_AGAIN_SECONDS = 5.0
# Ids are never used again, so what is known of one stays right; only memory has an end.
_MOST = 16384
# As docker ps and crictl ps show an id.
_SHORT_DIGITS = 12

_Key = tuple[str, str]


@dataclass(slots=True)
class _Known:
    place: CgroupLocation
    names: ContainerNames = NO_NAMES
    looks: int = _LOOKS
    next_look: float = float("-inf")

    def due(self, now: float) -> bool:
        return self.looks > 0 and now >= self.next_look


class ContainerNameCache:
    """Names by container and pod, looked for once, and a few times more while any is missing."""

    def __init__(self, files: FileReader | None = None) -> None:
        """Take how files are read; nothing is read yet."""
        self._files = HostFiles() if files is None else files
        self._known: dict[_Key, _Known] = {}

    def due(self, now: float) -> bool:
        """Tell whether a name should be looked for again (`now` in monotonic seconds)."""
        return any(known.due(now) for known in self._known.values())

    def awaited(self, place: CgroupLocation) -> bool:
        """Tell whether a name is going to be looked for again."""
        known = self._known.get(_key(place))
        return known is not None and known.looks > 0

    def look(self, places: Iterable[CgroupLocation], now: float) -> Iterator[None]:
        """Look for the names of what runs in these places, and for others that are due, one a step."""
        for place in places:
            if place.container_id or place.pod_uid:
                self._known.setdefault(_key(place), _Known(place))
        while len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
        files = RuntimeFiles(self._files)
        for known in [known for known in self._known.values() if known.due(now)]:
            known.names = _ask(files, known.place).or_else(known.names)
            known.looks = 0 if _complete(known) else known.looks - 1
            known.next_look = now + _AGAIN_SECONDS
            yield

    def of(self, place: CgroupLocation) -> ContainerNames:
        """Return what is known now. A container without a name is called by its short id."""
        known = self._known.get(_key(place))
        found = known.names if known is not None else NO_NAMES
        fallback = ContainerNames(
            place.container or place.container_id[:_SHORT_DIGITS], runtime=place.runtime
        )
        return found.or_else(fallback)


def _key(place: CgroupLocation) -> _Key:
    return place.container_id, place.pod_uid


def _complete(known: _Known) -> bool:
    names, place = known.names, known.place
    return bool(names.container or not place.container_id) and bool(names.pod or not place.pod_uid)


def _ask(files: RuntimeFiles, place: CgroupLocation) -> ContainerNames:
    identity = place.container_id
    kubernetes = files.kubernetes(identity, place.pod_uid, nested=place.nested) if place.pod_uid else NO_NAMES
    if not identity:
        return kubernetes
    match place.runtime:
        case "docker":
            own = files.docker(identity)
        case "podman":
            own = files.podman(identity)
        case "cri-o":
            own = files.crio(identity)
        case "containerd" if place.pod_uid:
            # Docker below cri-dockerd names its cgroups the same way with the cgroupfs driver.
            own = NO_NAMES if kubernetes.container else files.docker(identity)
        case "containerd":
            own = files.nerdctl(identity)
        case _:
            own = files.docker(identity).or_else(files.podman(identity)).or_else(files.nerdctl(identity))
    return kubernetes.or_else(own)
