"""Which listeners are on the page where there are more than it may have.

Whoever may run a program may open thousands of listeners, and fill their queues. So the places of the page
are divided among network namespaces, and those of a namespace among its users, before it counts how full a
queue is: who has more than a part loses their own listeners and nobody else's.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from exporter.config.model import Severity
from exporter.sampling.listener_state import ListenerState

# The exporter's own namespace has so much of the page, where others need the rest.
_OWN_PART: Final = 0.75
# Users from this number on are those of user namespaces. The kernel's helpers and systemd give ranges of so
# many to one user or container (subuid(5), systemd-nspawn(1)).
_RANGE: Final = 1 << 16

Claimant = TypeVar("Claimant", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Selection:
    """The listeners that are on the page, and how many of each namespace are left off it."""

    chosen: Sequence[ListenerState]
    omitted: Mapping[str, int]


def divide(needed: Mapping[Claimant, int], places: int) -> dict[Claimant, int]:
    """Divide places by max-min fairness: who needs less than an equal part gets all, and leaves the rest.

    What cannot be divided equally goes to those that come last.
    """
    parts: dict[Claimant, int] = {}
    left = places
    for done, claimant in enumerate(sorted(needed, key=lambda each: needed[each])):
        parts[claimant] = min(needed[claimant], left // (len(needed) - done))
        left -= parts[claimant]
    return parts


def select(listeners: Sequence[ListenerState], places: int, own: str) -> Selection:
    """Choose as many listeners as there are places; `own` is the label of the exporter's own namespace.

    That comes first: it has what it needs, up to three quarters of the page where others need the rest. The
    other namespaces have equal parts, and so have the users of each namespace. Namespaces without a name have
    one part together, in which they are equal, since any user can make them without end (user_namespaces(7)).
    Of one user's listeners those beyond a threshold stay, then the fullest, then the oldest.
    """
    if len(listeners) <= places:
        return Selection(listeners, {})
    by_namespace: dict[str, list[ListenerState]] = {}
    for listener in listeners:
        by_namespace.setdefault(listener.group.key.netns, []).append(listener)
    parts = _parts({netns: len(those) for netns, those in by_namespace.items()}, places, own)
    chosen: list[ListenerState] = []
    for netns, those in by_namespace.items():
        chosen += _of_namespace(those, parts[netns])
    kept = Counter(listener.group.key.netns for listener in chosen)
    return Selection(chosen, {netns: len(those) - kept[netns] for netns, those in by_namespace.items()})


def _parts(needed: Mapping[str, int], places: int, own: str) -> dict[str, int]:
    others = {netns: number for netns, number in needed.items() if netns != own}
    of_own = needed.get(own, 0)
    if of_own:
        guaranteed = max(1, int(places * _OWN_PART))
        of_own = min(of_own, max(guaranteed, places - sum(others.values())))
    numbered = {netns: number for netns, number in others.items() if netns.isdecimal()}
    named: dict[str | None, int] = {netns: others[netns] for netns in others.keys() - numbered}
    if numbered:
        named[None] = sum(numbered.values())
    parts = divide(named, places - of_own)
    of_numbered = divide(numbered, parts.pop(None, 0))
    return {own: of_own} | of_numbered | {netns: part for netns, part in parts.items() if netns is not None}


def _of_namespace(listeners: Sequence[ListenerState], places: int) -> list[ListenerState]:
    if len(listeners) <= places:
        return list(listeners)
    by_user: dict[int | None, list[ListenerState]] = {}
    for listener in listeners:
        by_user.setdefault(_user(listener), []).append(listener)
    parts = divide({user: len(those) for user, those in by_user.items()}, places)
    return [
        listener
        for user, those in by_user.items()
        for listener in heapq.nlargest(parts[user], those, key=_importance)
    ]


def _user(listener: ListenerState) -> int | None:
    """Return who opened the first socket of a listener; None where the kernel does not tell.

    The users of a range count as one: who may be all of them (newuidmap(1)) would have a part for each.
    """
    uid = listener.group.uid
    return uid if uid is None or uid < _RANGE else -(uid // _RANGE)


def _importance(listener: ListenerState) -> tuple[bool, float, float]:
    return _exceeds_threshold(listener), listener.accept.peak_ratio() or 0.0, -listener.since


def _exceeds_threshold(listener: ListenerState) -> bool:
    # Where time alone changes nothing, none is exceeded. There may be many thousands of listeners.
    return not listener.time_invariant() and any(
        history.active(severity)
        for history in (listener.accept, listener.syn_recv)
        if history is not None
        for severity in Severity
    )
