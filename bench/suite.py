"""The cases in the order in which they are measured: of the whole benchmark, and of the quick one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from bench.case import Case
from bench.cases import (
    daemon,
    episodes,
    first_page,
    listeners,
    memory,
    namespace_budget,
    namespace_churn,
    namespace_episodes,
    namespace_removal,
    namespaces,
    page,
    start,
    syn_recv,
    unix,
    waits,
)
from bench.cases.namespaces import Unlimited
from bench.executables import Compiled
from bench.timing import Rounds
from bench.workloads.namespaces import Namespaces
from bench.workloads.sockets import Sockets

_HOUR_SAMPLES: Final = 72_000
_MAX_LISTENERS: Final = 10_000
_MAX_CONNECTIONS: Final = 200_000
_MAX_SYN_RECV: Final = 100_000
_PODS: Final = Namespaces(110, tcp=3, unix=1)
_FEW_PODS: Final = Namespaces(30, tcp=3, unix=1)
_PODS_WITH_TRAFFIC: Final = replace(_PODS, traffic=True)


def whole(compiled: Compiled) -> list[Case]:
    """Every case, with the workloads of docs/performance.md."""
    rounds = Rounds(7, 3)
    few = Rounds(5, 2)
    cases = [
        Case(
            f"{count:,} idle listeners",
            seconds,
            partial(listeners.idle, compiled, Sockets(count), rounds, limited=count == _MAX_LISTENERS),
        )
        for count, seconds in ((10, 3), (100, 3), (1_000, 5), (_MAX_LISTENERS, 20))
    ]
    many = Sockets(_MAX_LISTENERS)
    mixed = Sockets(_MAX_LISTENERS, ipv6_every=10)
    cases += [
        Case("1,000 of 10,000 changing", 10, partial(listeners.changing, compiled, many, 1_000, rounds)),
        Case(
            "1,000 of 10,000 changing, some IPv6",
            10,
            partial(listeners.changing, compiled, mixed, 1_000, rounds),
        ),
    ]
    for export, seconds in (("full", 50), ("lean", 30)):
        write = partial(page.written, compiled, many, export, few)
        cases += [
            Case(f"page for 10,000 listeners, {export}", seconds, write),
            Case(f"page, 1,000 changed, {export}", seconds, partial(write, changed=1_000)),
        ]
    for count, seconds in ((0, 3), (20_000, 10), (_MAX_CONNECTIONS, 45)):
        sockets = Sockets(100, connections=count)
        limited = count == _MAX_CONNECTIONS
        measure = partial(syn_recv.established, compiled, sockets, rounds, limited=limited)
        cases.append(Case(f"{count:,} connections", seconds, measure))
    for count, seconds in ((0, 4), (1_000, 5), (_MAX_SYN_RECV, 25)):
        sockets = Sockets(100, syn_recv=count)
        measure = partial(syn_recv.flooded, compiled, sockets, rounds, limited=count == _MAX_SYN_RECV)
        cases.append(Case(f"{count:,} half-open", seconds, measure))
    unix_sockets = Sockets(0, unix_listeners=100, unix_connections=18_000)
    return [
        *cases,
        Case("18,000 connected unix sockets", 5, partial(unix.connected, compiled, unix_sockets, rounds)),
        *_whole_namespaces(compiled),
        Case("daemon for a minute", 70, partial(daemon.cpu_time, Sockets(100, connections=20_000), 60.0)),
        Case(
            f"waits beside {_MAX_CONNECTIONS:,} connections",
            110,
            partial(waits.followed, Sockets(100, connections=_MAX_CONNECTIONS), 60.0),
        ),
        Case("lateness with scrapers", 45, partial(daemon.lateness, Sockets(100), 7.0, 3)),
        Case("short episodes", 122, partial(episodes.noticed, compiled, 120.0)),
        Case("an hour's worth of samples", 35, partial(memory.growth, Sockets(100), _HOUR_SAMPLES)),
        Case("start of the command", 3, partial(start.help_text, 15)),
    ]


def _whole_namespaces(compiled: Compiled) -> list[Case]:
    """The cases with many network namespaces, as a host with containers has them."""
    large = Unlimited(6.0, 3, "namespaces")
    small = Unlimited(6.0, 3, "pods", "pods_unlimited_cpu")
    return [
        Case("300 large namespaces", 60, partial(namespaces.unlimited, compiled, Namespaces(300, 20), large)),
        Case("110 small namespaces", 45, partial(namespaces.unlimited, compiled, _PODS, small)),
        Case("defaults with 110 pods", 80, partial(namespace_budget.with_defaults, _PODS, 60.0, "pods")),
        Case(
            "defaults with 30 pods", 50, partial(namespace_budget.with_defaults, _FEW_PODS, 30.0, "few_pods")
        ),
        Case(
            "defaults with 110 pods with traffic",
            80,
            partial(namespace_budget.with_defaults, _PODS_WITH_TRAFFIC, 60.0, "pods_traffic"),
        ),
        Case("episodes in 3 of 110 pods", 90, partial(namespace_episodes.noticed, compiled, _PODS, 3, 23)),
        Case("killed containers", 75, partial(namespace_removal.killed, 200)),
        Case("pods that come and go", 340, partial(namespace_churn.made_and_removed, 20, 300.0)),
        Case("first page with 110 pods", 25, partial(first_page.first_page, _PODS, 5)),
    ]


def quick(compiled: Compiled) -> list[Case]:
    """The cases that end in a ratio or a share, with smaller workloads; all take about two minutes."""
    rounds = Rounds(5, 5)
    idle = Sockets(2_000)
    connections = Sockets(100, connections=18_000)
    flood = Sockets(10, syn_recv=10_000)
    return [
        Case("2,000 idle listeners", 6, partial(listeners.idle, compiled, idle, rounds, limited=True)),
        Case("200 of 2,000 changing", 6, partial(listeners.changing, compiled, idle, 200, rounds)),
        *(
            Case(
                f"page for 1,000 listeners, {export}",
                6,
                partial(page.written, compiled, Sockets(1_000), export, rounds),
            )
            for export in ("full", "lean")
        ),
        Case(
            "18,000 connections",
            8,
            partial(syn_recv.established, compiled, connections, rounds, limited=True),
        ),
        Case("10,000 half-open", 6, partial(syn_recv.flooded, compiled, flood, rounds, limited=True)),
        # As long as it takes for one missed episode more or less not to matter.
        Case("short episodes", 42, partial(episodes.noticed, compiled, 40.0)),
        *_quick_namespaces(compiled),
        Case("start of the command", 2, partial(start.help_text, 9)),
    ]


def _quick_namespaces(compiled: Compiled) -> list[Case]:
    large = Unlimited(3.0, 1, "namespaces")
    small = Unlimited(3.0, 1, "pods")
    return [
        Case("30 large namespaces", 10, partial(namespaces.unlimited, compiled, Namespaces(30, 20), large)),
        Case("30 small namespaces", 10, partial(namespaces.unlimited, compiled, _FEW_PODS, small)),
        Case(
            "defaults with 30 pods with traffic",
            24,
            partial(namespace_budget.with_defaults, replace(_FEW_PODS, traffic=True), 10.0, "pods_traffic"),
        ),
        Case("episodes in 2 of 30 pods", 30, partial(namespace_episodes.noticed, compiled, _FEW_PODS, 2, 4)),
        Case("killed containers", 12, partial(namespace_removal.killed, 20)),
        Case("first page with 30 pods", 4, partial(first_page.first_page, _FEW_PODS, 1)),
    ]
