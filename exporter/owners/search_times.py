"""When all processes are searched for the owners of sockets."""

from __future__ import annotations

from typing import Final

RETRY_SECONDS: Final = 5.0
# How long after a search of all processes the next one follows for sockets that are held for others. The
# pause doubles from the first to the last.
_FIRST_PAUSE_SECONDS: Final = 10.0
_LAST_PAUSE_SECONDS: Final = 300.0


class SearchTimes:
    """When the next search is due, for sockets that are sought and for those that are held for others.

    Times are in monotonic seconds.
    """

    def __init__(self) -> None:
        """Have both searches due."""
        self._next = 0.0
        self._next_held = 0.0
        self._pause = _FIRST_PAUSE_SECONDS

    def due(self, now: float, *, sought: bool, held: bool) -> bool:
        """Tell whether to search, where any socket is sought, or held for others."""
        return (sought and now >= self._next) or (held and now >= self._next_held)

    def begin(self, now: float) -> None:
        """Note that a search begins. After an error the next one waits as well."""
        self._next = now + RETRY_SECONDS
        self._next_held = now + self._pause
        self._pause = min(2 * self._pause, _LAST_PAUSE_SECONDS)

    def search_now(self, now: float) -> None:
        """Have a search due for sockets that are sought."""
        self._next = now

    def hold(self, now: float, *, at_once: bool = False) -> None:
        """Begin again with the pauses, since another socket is held for others; `at_once` with a search."""
        self._pause = _FIRST_PAUSE_SECONDS
        self._next_held = now if at_once else now + self._pause
