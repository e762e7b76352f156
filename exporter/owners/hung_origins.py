"""Origins of answers of which a lookup hung, and until when nothing of them is looked up."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

# Nothing of an origin is looked up for this long, twice as long each time that it hangs again.
PAUSE_SECONDS: Final = 60.0
_MAX_PAUSE_SECONDS: Final = 3600.0


@dataclass(slots=True)
class _Pause:
    """Until when nothing of an origin is looked up; also not while a lookup is `stuck`."""

    seconds: float = 0.0
    until: float = 0.0
    stuck: bool = False


class HungOrigins:
    """The pauses of origins, each until a lookup of it has ended. Times are in monotonic seconds."""

    def __init__(self, max_entries: int) -> None:
        """Know of none. Beyond so many, those whose pause is over are forgotten."""
        self._max_entries = max_entries
        self._pauses: dict[Hashable, _Pause] = {}

    def __contains__(self, origin: Hashable) -> bool:
        """Tell whether a lookup of an origin hung, and none has ended since."""
        return origin in self._pauses

    def paused_until(self, origin: Hashable, now: float) -> float | None:
        """Return until when nothing of an origin is looked up; None where it may be."""
        pause = self._pauses.get(origin)
        if pause is None or not (pause.stuck or now < pause.until):
            return None
        return max(pause.until, now + PAUSE_SECONDS) if pause.stuck else pause.until

    def add(self, origin: Hashable, now: float, *, stuck: bool) -> float:
        """Note that a lookup of an origin hangs; return until when none is made.

        While it is `stuck` it may still end.
        """
        if len(self._pauses) > self._max_entries:
            self._pauses = {each: left for each, left in self._pauses.items() if left.until > now}
        pause = self._pauses.setdefault(origin, _Pause())
        pause.seconds = min(max(PAUSE_SECONDS, pause.seconds * 2), _MAX_PAUSE_SECONDS)
        pause.until = now + pause.seconds
        pause.stuck = stuck
        return pause.until

    def discard(self, origin: Hashable) -> None:
        """Note that a lookup of an origin has ended."""
        self._pauses.pop(origin, None)
