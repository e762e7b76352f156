"""Figures of listeners, with those of the folded listeners that are published in their places."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from exporter.listeners.group import ListenerGroup
from exporter.sampling.history.accept import FULL
from exporter.sampling.history.waits import WaitHistogram
from exporter.sampling.listener_state import ListenerState

States = Mapping[ListenerGroup, ListenerState]
_Figure = TypeVar("_Figure")


def syn_recv(
    states: States, counts: Mapping[ListenerGroup, int], unknown: Collection[ListenerGroup]
) -> dict[ListenerState, int | None]:
    """Return the half-open connections of listeners; None for those in `unknown`.

    A folded listener has the sum, which is not known where one of its parts is not. Groups that are gone
    since the answer was asked for are left out.
    """
    by_state: dict[ListenerState, int | None] = {}
    for state, count in _present(states, counts):
        by_state[state] = count
        if state.folded_into is not None:
            by_state[state.folded_into] = (by_state.get(state.folded_into) or 0) + count
    for state in (states[group] for group in unknown if group in states):
        by_state[state] = None
        if state.folded_into is not None:
            by_state[state.folded_into] = None
    return by_state


def oldest_waits(
    states: States, asked: Collection[ListenerGroup], seconds: Mapping[ListenerGroup, float]
) -> dict[ListenerState, float | None]:
    """Return how long the oldest connection of listeners has waited; None for those not in `seconds`.

    A folded listener has the longest, which is not known where one of its listeners is full and has none.
    """
    waits: dict[ListenerState, float | None] = {}
    unknown: set[ListenerState] = set()
    for group in asked:
        if group not in states:
            continue
        state, waited = states[group], seconds.get(group)
        waits[state] = waited
        if state.folded_into is not None:
            longest = waits.get(state.folded_into)
            waits[state.folded_into] = max(longest or 0.0, waited) if waited is not None else longest
            if waited is None and (group.utilization or 0.0) >= FULL:
                unknown.add(state.folded_into)
    return waits | dict.fromkeys(unknown)


def count_waits(states: States, ended: Mapping[ListenerGroup, WaitHistogram]) -> None:
    """Give listeners the waits of connections that left their queues."""
    for state, waits in _present(states, ended):
        state.count_waits(waits)
        if state.folded_into is not None:
            state.folded_into.count_waits(waits)


def _present(
    states: States, figures: Mapping[ListenerGroup, _Figure]
) -> Iterator[tuple[ListenerState, _Figure]]:
    """Return figures by the states of their groups, without those of groups that a reload has removed."""
    return ((states[group], figure) for group, figure in figures.items() if group in states)
