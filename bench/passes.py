"""One pass of this exporter over every other network namespace, through its broker."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from bench.work import Work
from exporter.broker.capabilities import permitted
from exporter.broker.supervisor import start
from exporter.config.model import Config
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.source import Source

_PROC = Path("/proc")
_WARM_PASSES = 3
_DUMPS = ("inet", "unix")


def a_pass() -> Work:
    """Return a pass that asks for the TCP and the unix listeners of each namespace, as the floor does.

    Its number is how many namespaces were visited.
    """
    broker = BrokerClient(start(permitted()))
    namespaces: list[NamespaceSampler] = []
    rotation = NamespaceScheduler(broker, Config(), namespaces, threading.Lock())
    rotation.source.run(time.monotonic())

    def visit_all() -> int:
        now = time.monotonic()
        for turn in rotation.slots():
            turn.due = float("-inf")
            for source in turn.sampler.sources:
                source.due = float("-inf") if source.name in _DUMPS else float("inf")
        while rotation.visit(now, _refuse_failure):
            pass
        return len(namespaces)

    for _ in range(_WARM_PASSES):
        visit_all()
    return Work(visit_all, elsewhere=_children_seconds)


def _refuse_failure(source: Source) -> None:
    if source.error is not None:
        raise source.error


def _children_seconds(pid: str = "self") -> float:
    """Add up the processor time of all that this process has started: the keeper and the broker."""
    seconds = 0.0
    for children in _PROC.glob(f"{pid}/task/*/children"):
        for child in children.read_text().split():
            used = int((_PROC / child / "schedstat").read_text().split()[0])
            seconds += used / 1e9 + _children_seconds(child)
    return seconds
