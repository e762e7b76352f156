"""Figures of a page, compared with those of `ss` that stayed the same for longer than a sample is old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

# No figure is older than five seconds. A listener that is new needs a moment for its owner, and one that is
# gone may be missing in two dumps first; the rest is for a machine whose cores are busy.
SETTLED_SECONDS: Final = 12.0


@dataclass(slots=True)
class Stable(Generic[Key, Value]):
    """What was the same at every look for SETTLED_SECONDS: values, and keys that were absent.

    A key that had a value and has none any more is known for another ten minutes.
    """

    _since: dict[Key, tuple[Value | None, float]] = field(default_factory=dict)

    def look(self, seen: Mapping[Key, Value], at: float) -> None:
        """Take what there is at a time in seconds."""
        for key in seen.keys() | self._since.keys():
            value = seen.get(key)
            if key not in self._since or self._since[key][0] != value:
                self._since[key] = (value, at)
        self._since = {
            key: (value, since)
            for key, (value, since) in self._since.items()
            if value is not None or at - since < 600
        }

    def stable(self, at: float) -> dict[Key, Value | None]:
        """Return what has been the same for long enough at a time in seconds; None where it is absent."""
        return {key: value for key, (value, since) in self._since.items() if at - since >= SETTLED_SECONDS}


def differences(expected: Mapping[Key, Value | None], page: Mapping[Key, Value]) -> list[str]:
    """Return a line for each figure of a page that is not as expected."""
    return [
        f"{key}: the page says {page.get(key, 'nothing')}, ss {'nothing' if value is None else value}"
        for key, value in expected.items()
        if page.get(key) != value
    ]
