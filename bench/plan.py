"""What is measured, in order: the whole benchmark, and its quick form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.cost import Findings
from bench.load import Load
from bench.measure import Progress, Rounds
from bench.namespaces import NamespacesLoad
from bench.program import Built
from bench.scenes import daemon, episodes, half_open, listeners, memory, namespaces, page, start, unix

_HOUR_SAMPLES = 72_000


@dataclass(frozen=True, slots=True)
class Scene:
    """One stage, in a network namespace of its own. `seconds` is about how long it takes."""

    name: str
    seconds: float
    measure: Callable[[Progress], Findings]


def whole(built: Built) -> list[Scene]:
    """Everything, with the loads of the document."""
    rounds = Rounds(7, 3)
    few = Rounds(5, 2)
    scenes = [
        Scene(
            f"{count:,} idle listeners",
            seconds,
            partial(listeners.idle, built, Load(count), rounds, bars=count == _MOST_LISTENERS),
        )
        for count, seconds in ((10, 3), (100, 3), (1_000, 5), (_MOST_LISTENERS, 20))
    ]
    many = Load(_MOST_LISTENERS)
    mixed = Load(_MOST_LISTENERS, ipv6_every=10)
    scenes += [
        Scene("1,000 of 10,000 changing", 10, partial(listeners.changing, built, many, 1_000, rounds)),
        Scene(
            "the same with some IPv6",
            10,
            partial(listeners.changing, built, mixed, 1_000, rounds),
        ),
        Scene("page for 10,000 listeners", 35, partial(page.written, built, many, few)),
        Scene("page, 1,000 changed", 35, partial(page.written, built, many, few, moved=1_000)),
    ]
    for count, seconds in ((0, 3), (20_000, 10), (_MOST_CONNECTIONS, 45)):
        load = Load(100, connections=count)
        measure = partial(half_open.established, built, load, rounds, bars=count == _MOST_CONNECTIONS)
        scenes.append(Scene(f"{count:,} connections", seconds, measure))
    for count, seconds in ((0, 4), (1_000, 5), (_MOST_HALF_OPEN, 25)):
        load = Load(100, half_open=count)
        measure = partial(half_open.flooded, built, load, rounds, bars=count == _MOST_HALF_OPEN)
        scenes.append(Scene(f"{count:,} half-open", seconds, measure))
    return [
        *scenes,
        Scene(
            "18,000 connected unix sockets",
            5,
            partial(unix.connected, built, Load(0, unix_listeners=100, unix_connections=18_000), rounds),
        ),
        Scene(
            "300 network namespaces",
            10,
            partial(namespaces.visited, built, NamespacesLoad(300, 20), rounds),
        ),
        Scene("daemon for a minute", 70, partial(daemon.whole, Load(100, connections=20_000), 60.0)),
        Scene("lateness beside scrapers", 45, partial(daemon.lateness, Load(100), 7.0, 3)),
        Scene("short episodes", 62, partial(episodes.noticed, built, 60.0)),
        Scene("an hour's worth of samples", 35, partial(memory.hour, Load(100), _HOUR_SAMPLES)),
        Scene("start of the command", 3, partial(start.helped, 15)),
    ]


def quick(built: Built) -> list[Scene]:
    """What a minute allows: smaller loads, and only what ends in a ratio or a share."""
    rounds = Rounds(5, 5)
    idle = Load(2_000)
    return [
        Scene("2,000 idle listeners", 6, partial(listeners.idle, built, idle, rounds, bars=True)),
        Scene("200 of 2,000 changing", 6, partial(listeners.changing, built, idle, 200, rounds)),
        Scene("page for 1,000 listeners", 6, partial(page.written, built, Load(1_000), rounds)),
        Scene(
            "18,000 connections",
            8,
            partial(half_open.established, built, Load(100, connections=18_000), rounds, bars=True),
        ),
        Scene(
            "10,000 half-open",
            6,
            partial(half_open.flooded, built, Load(10, half_open=10_000), rounds, bars=True),
        ),
        Scene("30 network namespaces", 4, partial(namespaces.visited, built, NamespacesLoad(30, 20), rounds)),
        Scene("short episodes", 10, partial(episodes.noticed, built, 8.0)),
        Scene("start of the command", 2, partial(start.helped, 9)),
    ]


_MOST_LISTENERS = 10_000
_MOST_CONNECTIONS = 200_000
_MOST_HALF_OPEN = 100_000
