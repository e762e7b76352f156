"""Names of containers and pods, read in another thread: their files may lie on a disk in the network."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from exporter.kernel.errors import AccessHungError
from exporter.owners.answers import Repetition
from exporter.owners.background import BackgroundLookups
from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.lookup_threads import LookupRunner
from exporter.owners.runtimes.names import ContainerNames

_WHAT: Final = "the files of container runtimes"
# How long one thread waits for another that reads the same files and does not come to an end.
_WAIT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Names:
    names: ContainerNames
    # Whether a name is missing and may be written yet.
    incomplete: bool


class ContainerNameLookups:
    """The names that a ContainerNameCache finds, which is read in the thread of `runner`."""

    def __init__(
        self, cache: ContainerNameCache, runner: LookupRunner, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the cache, which nobody else may use, and a clock in monotonic seconds."""
        self._cache = cache
        self._clock = clock
        # Held while files are read.
        self._reading = threading.Lock()
        # Where names were asked for, so that files about many containers are read once for all of them.
        self._asked: deque[CgroupLocation] = deque()
        self._lookups = BackgroundLookups[CgroupLocation, _Names](
            self._look_up,
            runner,
            _WHAT,
            origin=lambda location: location.runtime,
            repetition=Repetition(5.0, 4, complete=lambda found: not found.incomplete),
            clock=clock,
        )

    @property
    def version(self) -> int:
        """A number that grows when a name may be another one than before."""
        return self._lookups.version

    @property
    def hung(self) -> int:
        """How many lookups hung."""
        return self._lookups.hung

    def ask(self, locations: Iterable[CgroupLocation]) -> None:
        """Have the names of what runs at these locations read."""
        wanted = [location for location in locations if _contained(location)]
        self._asked.extend(wanted)
        for location in wanted:
            self._lookups.answer(location)

    def names_at(self, location: CgroupLocation) -> ContainerNames:
        """Return the names that are known now; for a container without a name its short id."""
        found = self._lookups.answer(location) if _contained(location) else None
        return self._cache.names_at(location) if found is None else found.names

    def settled(self, location: CgroupLocation) -> bool:
        """Tell whether the names are known, or not worth waiting for."""
        return not _contained(location) or self._lookups.settled(location)

    def final(self, location: CgroupLocation) -> bool:
        """Tell whether the names stay as they are."""
        return not _contained(location) or self._lookups.final(location)

    def retain(self, locations: Collection[CgroupLocation]) -> None:
        """Forget the names at all other locations."""
        self._lookups.retain(locations)

    def poll(self) -> None:
        """Look after lookups that take too long, and names that were missing."""
        self._lookups.poll()

    def _look_up(self, location: CgroupLocation) -> _Names:
        locations = [location]
        while self._asked:
            locations.append(self._asked.popleft())
        # A thread that hangs has it for good. Others do not wait for it, so that they do not hang as well.
        if not self._reading.acquire(timeout=_WAIT_SECONDS):
            raise AccessHungError(f"cannot read {_WHAT}")
        try:
            for _ in self._cache.update(locations, self._clock()):
                pass
            return _Names(self._cache.names_at(location), self._cache.incomplete(location))
        finally:
            self._reading.release()


def _contained(location: CgroupLocation) -> bool:
    """Tell whether anything has written down what runs at a location."""
    return bool(location.container_id or location.pod_uid or location.task)
