"""How full queues were in the last minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from exporter.api.query import LABELS
from exporter.cli.show.listener import ShownListener

SECONDS: Final = 60

ListenerKey = tuple[str, ...]


def key_of(listener: ShownListener) -> ListenerKey:
    """Return what tells a listener from all others."""
    return tuple(listener.text(name) for name in LABELS)


def patterns_of(key: ListenerKey) -> tuple[tuple[str, str], ...]:
    """Return patterns that select this listener; where a name has * or ? they may select others as well."""
    return tuple(zip(LABELS, key, strict=True))


class Recent:
    """The highest share of each queue in each second of the last minute. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._highest: defaultdict[ListenerKey, dict[int, float]] = defaultdict(dict)

    def note(self, now: float, listeners: Iterable[ShownListener]) -> None:
        """Take the shares that were just read."""
        second = int(now)
        for listener in listeners:
            highest = self._highest[key_of(listener)]
            highest[second] = max(highest.get(second, 0.0), listener.share or 0.0)
        for key, highest in list(self._highest.items()):
            for old in [each for each in highest if each <= second - SECONDS]:
                del highest[old]
            if not highest:
                del self._highest[key]

    def shares(self, key: ListenerKey, now: float, parts: int) -> list[float]:
        """Return the highest share in each of so many equal parts of the minute, the newest last."""
        found = [0.0] * parts
        for second, share in self._highest.get(key, {}).items():
            part = parts - 1 - (int(now) - second) * parts // SECONDS
            if 0 <= part < parts:
                found[part] = max(found[part], share)
        return found

    def peak(self, key: ListenerKey) -> float:
        """Return the highest share of the minute."""
        return max(self._highest.get(key, {}).values(), default=0.0)
