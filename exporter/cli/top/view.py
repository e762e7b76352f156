"""What is shown of one reading: which listeners in which order, and the line above them."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from exporter.api.query import matches
from exporter.api.queue_state import QueueState
from exporter.cli.listener_flags import Patterns
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
    """One document: its listeners, the worst first, how fast counters grow, and what was not seen."""

    listeners: tuple[ShownListener, ...]
    rates: tuple[str, ...]
    not_seen: tuple[str, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any], rates: Rates) -> Self:
        """Read a document; `rates` have taken its counters."""
        listeners = tuple(ShownListener(row) for row in document["listeners"])
        unseen = [f"{each.get('what')}: {each.get('needs')}" for each in document["not_seen"]]
        errors = [f"{each.get('netns')}: {each.get('error')}" for each in document["errors"]]
        return cls(listeners, _rates(rates), tuple(dict.fromkeys(unseen or errors)))

    def heading(self, listeners: Sequence[ShownListener]) -> str:
        """Return the line above these listeners, which are some of this reading or all."""
        counted = f"{len(listeners)} of " if len(listeners) < len(self.listeners) else ""
        every = f"{len(self.listeners)} listener{'' if len(self.listeners) == 1 else 's'}"
        told = ", ".join([f"{counted}{every}", *_states(listeners)])
        return f"{told}   {', '.join(self.rates)}"

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


def chosen_namespaces(namespaces: Sequence[Mapping[str, Any]], patterns: Patterns) -> list[Mapping[str, Any]]:
    """Return the counters of the namespaces that patterns of the label `netns` select."""
    wanted = [pattern for name, pattern in patterns if name == "netns"]
    return [each for each in namespaces if all(matches(str(each.get("netns")), one) for one in wanted)]


def _states(listeners: Sequence[ShownListener]) -> list[str]:
    states = [each.state for each in listeners]
    counts = [(state, states.count(state)) for state in QueueState if state is not QueueState.OK]
    found = [f"{count} {state}" for state, count in counts if count]
    if unknown := states.count(None):
        found.append(f"{unknown} unknown")
    return found or (["all ok"] if listeners else [])


def _rates(rates: Rates) -> tuple[str, ...]:
    return (
        f"overflows {_rate(rates.per_second('listen_overflows_total'))}",
        f"SYN cookies {_rate(rates.per_second('syncookies_sent_total'))}",
    )


def _rate(per_second: float | None) -> str:
    return "-" if per_second is None else f"{per_second:.1f}/s"
