"""What happens in the accept queue of a TCP listener, traced in the kernel by bpftrace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from testbed.program import Program
from testbed.waiting import until

_SCRIPT = Path(__file__).with_suffix(".bt")
_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Event:
    """A change of the queue, in monotonic seconds, and the length and limit after it.

    `name` is `added`, `accepted` or `dropped`; `waited` is how long one that was accepted had waited.
    """

    name: str
    seconds: float
    length: int
    limit: int
    waited: float | None = None


class TracedQueue(Program):
    """Traces the listeners at a port from the start of the `with` block to its end."""

    def __init__(self, port: int, log: Path) -> None:
        super().__init__(["bpftrace", "-B", "line", "-q", str(_SCRIPT), str(port)], log)

    def __enter__(self) -> Self:
        super().__enter__()
        return self.wait_until(lambda: "traced\n" in self.log)

    def events(self, accepted: int) -> Sequence[Event]:
        """What has happened, once so many connections were accepted."""
        return until(
            lambda: _parse(self.log),
            lambda found: sum(each.name == "accepted" for each in found) >= accepted,
        )


def full_seconds(events: Sequence[Event]) -> float:
    """How long the queue was full: it held more connections than its limit."""
    return sum(
        after.seconds - before.seconds for before, after in pairwise(events) if before.length > before.limit
    )


def full_episodes(events: Sequence[Event]) -> int:
    """How often the queue became full."""
    return sum(before.length <= before.limit < after.length for before, after in pairwise(events))


def _parse(log: str) -> list[Event]:
    found = []
    for line in log.splitlines():
        match line.split():
            case ["added" | "accepted" | "dropped" as name, *numbers]:
                nanoseconds, length, limit, *waited = map(int, numbers)
                wait = waited[0] / _NANOSECONDS if waited else None
                found.append(Event(name, nanoseconds / _NANOSECONDS, length, limit, wait))
    return sorted(found, key=lambda event: event.seconds)
