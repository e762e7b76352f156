"""How long connections wait, followed beside many others: what all processes use, and how often they look."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Final

from bench.cases.daemon import CPU_TABLE
from bench.cpu_share import CpuShare
from bench.daemon import Daemon
from bench.intervals import LONGEST
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress, repeat
from bench.workloads.sockets import OpenSockets, Sockets

INTERVAL_TABLE: Final = "Time between two looks at the connections that wait, with `export: full`"
# Where waits are published they are followed.
_CONFIG: Final = "defaults: {export: full}\n"
_WARM_UP_SECONDS: Final = 10.0
_QUEUES: Final = 10
_WAIT_SECONDS: Final = 0.3


def followed(sockets: Sockets, seconds: float, progress: Progress) -> CaseResult:
    """Measure over `seconds`, while connections wait 0.3 s at ten of the listeners, again and again."""
    with ExitStack() as stack:
        opened = stack.enter_context(OpenSockets(sockets))
        daemon = Daemon(stack, config=_CONFIG).wait_ready()
        change = partial(repeat, partial(opened.change, _QUEUES), _WAIT_SECONDS)
        change(_WARM_UP_SECONDS)
        used = CpuShare.measure(daemon, seconds, progress, change)
    workload = f"{sockets}, some wait, `export: full`"
    interval = Summary.of([page.value(LONGEST, source="oldest_wait") for page in used.pages])
    return CaseResult(
        (
            Measurement(CPU_TABLE, workload, sockets.connections, "share of a core", "share", used.share),
            Measurement(INTERVAL_TABLE, workload, sockets.connections, "as published", "s", interval),
        ),
        (("waits_cpu", used.share),),
    )
