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
from exporter.sampling.environment import host_environment
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.source_runner import SourceRunner

_PROC = Path("/proc")
_WARM_PASSES = 3
_DUMPS = ("inet", "unix")
_NOT_NOW_SECONDS = 3600.0


def a_pass() -> Work:
    """Return a pass that asks for the TCP and the unix listeners of each namespace, as the floor does.

    Its number is how many namespaces were visited.
    """
    broker = BrokerClient(start(permitted()))
    scheduler = NamespaceScheduler(Config(), host_environment(broker), threading.Lock())
    scheduler.discovery.run(time.monotonic())
    scheduler.update()

    def visit_all() -> int:
        now = time.monotonic()
        for slot in scheduler.slots:
            slot.schedule.run_now()
            for runner in slot.sampler.runners:
                if runner.name in _DUMPS:
                    runner.schedule.run_now()
                else:
                    runner.schedule.postpone(now + _NOT_NOW_SECONDS)
        while scheduler.sample(now, _refuse_failure):
            pass
        return len(scheduler.slots)

    for _ in range(_WARM_PASSES):
        visit_all()
    return Work(visit_all, elsewhere=_children_seconds)


def _refuse_failure(runner: SourceRunner) -> None:
    if runner.error is not None:
        raise runner.error


def _children_seconds(pid: str = "self") -> float:
    """Add up the processor time of all that this process has started: the keeper and the broker."""
    seconds = 0.0
    for children in _PROC.glob(f"{pid}/task/*/children"):
        for child in children.read_text().split():
            used = int((_PROC / child / "schedstat").read_text().split()[0])
            seconds += used / 1e9 + _children_seconds(child)
    return seconds
