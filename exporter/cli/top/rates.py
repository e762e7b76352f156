"""How fast the counters of network namespaces grow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from exporter.cli.foreign_json import number

# They are read once in a few seconds.
_SECONDS: Final = 10.0


class Rates:
    """The growth of counters in the last seconds, of all namespaces together."""

    def __init__(self) -> None:
        self._read: deque[tuple[float, dict[str, dict[str, float]]]] = deque()

    def note(self, now: float, namespaces: Iterable[Mapping[str, Any]]) -> None:
        """Take the counters that were just read, of each namespace; `now` in monotonic seconds."""
        if self._read and int(self._read[-1][0]) == int(now):
            return
        counters = {str(each.get("netns")): _numbers(each) for each in namespaces}
        self._read.append((now, counters))
        while self._read[0][0] < now - _SECONDS:
            self._read.popleft()

    def per_second(self, name: str) -> float | None:
        """Return how much a counter grows a second; None where that is not known yet."""
        if len(self._read) < 2:  # noqa: PLR2004 # a difference needs two
            return None
        (began, first), (ended, last) = self._read[0], self._read[-1]
        grown = [
            max(0.0, counters[name] - first[netns][name])
            for netns, counters in last.items()
            if name in counters and name in first.get(netns, {})
        ]
        return sum(grown) / (ended - began) if grown else None


def _numbers(namespace: Mapping[str, Any]) -> dict[str, float]:
    found = ((name, number(value)) for name, value in namespace.items())
    return {name: float(value) for name, value in found if value is not None}
