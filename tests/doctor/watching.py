"""A watch of the network namespace of a test, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from exporter.config import Config
from exporter.doctor.examination import examine
from exporter.doctor.finding import Finding
from exporter.doctor.watch import Watch
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.environment import host_environment
from exporter.sampling.sampler import Sampler

_PAUSE_SECONDS = 0.02


def findings(
    during: Callable[[], None] = lambda: None,
    *,
    seconds: float = 0.2,
    interval: float = 0.01,
    before: Callable[[], None] = lambda: None,
) -> dict[str, Finding]:
    """Watch for so long, call `during` meanwhile, and return what was found by its names.

    Queues are sampled before `during`, and after it. `before` is called between the first sample of all and
    the watch, where owners are searched for.
    """
    config = Config()
    sampling = replace(config.sampling, interval_seconds=interval, cpu_budget_ratio=1.0)
    sampler = Sampler(replace(config, sampling=sampling), host_environment())
    sampler.sample()
    while not sampler.all_owners_searched():
        sampler.search_owners()
    before()
    calls = [during]

    def sleep(wanted: float) -> None:
        if calls:
            calls.pop()()
        time.sleep(min(wanted, _PAUSE_SECONDS))

    host = Watch(sampler, SYSTEM_CLOCK, sleep).run(seconds)
    return {found.name: found for found in reversed(examine(host))}
