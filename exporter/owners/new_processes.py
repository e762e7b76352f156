"""Which processes have started since all were looked at."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

# How often it is looked for new ones.
_LOOK_SECONDS: Final = 2.0
# How long a process stays new: it may get the sockets that it is started for, and its name, a moment later.
_NEW_SECONDS: Final = 5.0


class NewProcesses:
    """The numbers of the processes, and since when each has been known."""

    def __init__(self) -> None:
        """Know of no process."""
        self._known: dict[int, float] = {}
        self._due = 0.0

    @property
    def any_known(self) -> bool:
        """Whether they were looked at before, so that others are new."""
        return bool(self._known)

    def due(self, now: float) -> bool:
        """Tell whether it is time to look for new ones (`now` is in monotonic seconds)."""
        return now >= self._due

    def note(self, pids: Collection[int], now: float) -> None:
        """Take that all of these are looked at now. None of those that there are at first is new."""
        since = now if self._known else -_NEW_SECONDS + now
        self._known = {pid: self._known.get(pid, since) for pid in pids}

    def look_at(self, pids: Collection[int], now: float) -> list[int]:
        """Return those of all processes that are new."""
        self._due = now + _LOOK_SECONDS
        self.note(pids, now)
        return sorted(pid for pid, since in self._known.items() if now - since < _NEW_SECONDS)
