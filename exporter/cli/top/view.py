"""What is shown of one reading: which listeners in which order, and the line above them."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from exporter.api.queue_state import QueueState
from exporter.cli.show.listener import ShownListener
from exporter.cli.top.rates import Rates
from exporter.cli.top.recent import Recent, key_of


class Order(enum.StrEnum):
    """By what listeners are sorted: the worst state, the share now or at most in the minute, the name."""

    STATE = "state"
    NOW = "now"
    PEAK = "peak of the minute"
    NAME = "name"

    @property
    def next(self) -> Order:
        """The order after this one."""
        every = list(Order)
        return every[(every.index(self) + 1) % len(every)]


@dataclass(frozen=True, slots=True)
class Reading:
    """One document: its listeners, the worst first, and what the lines around the table say of it."""

    listeners: tuple[ShownListener, ...]
    heading: str
    not_seen: tuple[str, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any], rates: Rates) -> Self:
        """Read a document; `rates` have taken its counters."""
        listeners = tuple(ShownListener(row) for row in document["listeners"])
        unseen = [f"{each.get('what')}: {each.get('needs')}" for each in document["not_seen"]]
        errors = [f"{each.get('netns')}: {each.get('error')}" for each in document["errors"]]
        return cls(listeners, _heading(listeners, rates), tuple(dict.fromkeys(unseen or errors)))

    def chosen(self, order: Order, words: str, recent: Recent) -> list[ShownListener]:
        """Return the listeners that have every one of these words in a cell, in this order."""
        wanted = words.casefold().split()
        found = [each for each in self.listeners if all(word in _searched(each) for word in wanted)]
        match order:
            case Order.NOW:
                found.sort(key=lambda each: -(each.share or 0.0))
            case Order.PEAK:
                found.sort(key=lambda each: -recent.peak(key_of(each)))
            case Order.NAME:
                found.sort(key=lambda each: (each.netns, each.text("address"), each.text("port").zfill(5)))
        return found


def _searched(listener: ShownListener) -> str:
    cells = (listener.endpoint, listener.owner, listener.netns, listener.state or "unknown")
    return " ".join((*cells, listener.text("protocol"))).casefold()


def _heading(listeners: Sequence[ShownListener], rates: Rates) -> str:
    states = [each.state for each in listeners]
    counts = [(state, states.count(state)) for state in QueueState if state is not QueueState.OK]
    found = [f"{count} {state}" for state, count in counts if count]
    if unknown := states.count(None):
        found.append(f"{unknown} unknown")
    if listeners and not found:
        found.append("all ok")
    figures = (
        ("overflows", "listen_overflows_total"),
        ("SYN cookies", "syncookies_sent_total"),
    )
    told = [f"{title} {_rate(rates.per_second(name))}" for title, name in figures]
    return ", ".join([f"{len(listeners)} listeners", *found]) + "   " + ", ".join(told)


def _rate(per_second: float | None) -> str:
    return "-" if per_second is None else f"{per_second:.1f}/s"
