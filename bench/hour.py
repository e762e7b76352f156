"""An hour's worth of samples in less than a minute, to see whether memory grows.

`python -m bench.hour SAMPLES`: prints the number of samples taken and the resident bytes, some twenty times.
Sources are told a time that runs ahead; everything else is as in the daemon, whose modules are all loaded.
"""

from __future__ import annotations

import sys
import time

from prometheus_client import ProcessCollector

import exporter.cli.daemon as loaded
from bench.resident import memory
from exporter.cli.build import build_info
from exporter.config.model import Config
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.environment import host_environment
from exporter.sampling.sampler import Sampler

_LINES = 20
_SCRAPE_SAMPLES = 300

# Loaded for what it brings along, as in a daemon that serves.
__all__ = ["loaded", "main"]


def main(samples: int) -> None:
    """Take so many samples of every source that is due, and a page every 15 seconds of that time."""
    config = Config()
    sampler = Sampler(config, host_environment())
    reload = Reload(successful=True, timestamp=0.0)
    page = Page(sampler, lambda: reload, build_info(), SYSTEM_CLOCK, ProcessCollector(registry=None))
    sampler.sample()
    page.write(openmetrics=True)
    print(0, memory("VmRSS"), flush=True)
    started = time.monotonic()
    for number in range(1, samples + 1):
        now = started + number * config.sampling.interval_seconds
        for runner in sampler.runners:
            if runner.schedule.is_due(now):
                runner.run(now)
        if number % _SCRAPE_SAMPLES == 0:
            page.write(openmetrics=True)
        if number % (samples // _LINES) == 0:
            print(number, memory("VmRSS"), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
