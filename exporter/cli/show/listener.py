"""A listener as it is shown: one row of the document of listeners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exporter.api.queue_state import QueueState
from exporter.cli import table
from exporter.cli.foreign_json import number

# No label is longer in an answer of an exporter.
_MAX_TEXT: Final = 4096


@dataclass(frozen=True, slots=True)
class ShownListener:
    """A row of the document, or one of its `members`.

    It may come from another host, so its values may be anything that JSON has: what is no text reads as an
    empty one, and what is no number as None.
    """

    row: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return a text as it is, which must not reach a terminal so."""
        value = self.row.get(name)
        return value[:_MAX_TEXT] if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """Return a number."""
        return number(self.row.get(name))

    def count(self, name: str) -> str:
        """Return a number as a cell."""
        value = self.number(name)
        return table.NOTHING if value is None else f"{value:.0f}"

    @property
    def endpoint(self) -> str:
        """Where it is, as a cell."""
        where = table.endpoint(self.text("address"), self.text("port"))
        # New clients reach another socket, or none.
        return f"{where} (stale path)" if self.row.get("stale_path") is True else where

    @property
    def netns(self) -> str:
        """Its network namespace, as a cell."""
        return table.name(self.text("netns"))

    @property
    def owner(self) -> str:
        """Its program, and the pod, container or unit that it runs in, as a cell."""
        process = self.text("process")
        place = next((found for name in ("pod", "container", "unit") if (found := self.text(name))), "")
        # Most units are named after their program.
        if not process or process == place.removesuffix(".service"):
            return table.name(place) if place else table.NOTHING
        return f"{table.name(process)} ({table.name(place)})" if place else table.name(process)

    @property
    def state(self) -> QueueState | None:
        """Its state, None where that is not known."""
        value = self.text("state")
        return QueueState(value) if value in list(QueueState) else None

    @property
    def share(self) -> float | None:
        """How full its fullest socket is: 1 is full."""
        return self.number("accept_utilization_ratio")

    @property
    def queue(self) -> str:
        """The length of its accept queue, and the limit."""
        return f"{self.count('accept_length')}/{self.count('accept_limit')}"

    @property
    def drops(self) -> str:
        """How many packets were dropped, as a cell: a number that may grow for years."""
        value = self.number("drops_total")
        return table.NOTHING if value is None else _rounded(value)

    @property
    def oldest_wait(self) -> str:
        """How long its oldest connection has waited, as a cell."""
        # Of an empty queue it is 0, which reads as if somebody waited.
        seconds = self.number("accept_oldest_wait_seconds") if self.number("accept_length") else None
        return table.NOTHING if seconds is None else _age(seconds)

    @property
    def members(self) -> list[ShownListener]:
        """Its sockets, where they were asked for and there are several."""
        found = self.row.get("members")
        rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        return [ShownListener(each) for each in rows] if len(rows) > 1 else []


def _rounded(count: float) -> str:
    """Return a number in at most five characters, up to 10^16."""
    scale, unit = next(
        (pair for pair in ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")) if abs(count) < pair[0] * 1e4),
        (1e12, "T"),
    )
    return f"{count / scale:.0f}{unit}"


def _age(seconds: float) -> str:
    """Return a time in at most six characters, up to years."""
    for unit, most, scale in (("s", 1000.0, 1.0), ("m", 6000.0, 60.0), ("h", 360_000.0, 3600.0)):
        if seconds < most:
            return f"{seconds / scale:.1f}{unit}"
    return f"{seconds / 86_400:.0f}d"
