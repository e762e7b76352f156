"""This exporter's work, called through the doors that the daemon uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from bench.resident import memory
from bench.work import Work
from exporter.cli.build import build_info
from exporter.config.model import Config
from exporter.kernel.sock_diag import dump as netlink
from exporter.kernel.sock_diag import requests
from exporter.kernel.sock_diag import syn_recv as half_open
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.environment import host_environment
from exporter.sampling.sampler import Sampler

_MOST_LISTENERS = 100_000
_MINUTE_SECONDS = 60.0
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def sampler(*, histogram: bool = True) -> Sampler:
    """Return a sampler that has asked every source twice, so that nothing is new to it any more."""
    config = Config(max_listeners=_MOST_LISTENERS)
    config = replace(config, sampling=replace(config.sampling, histogram=histogram))
    made = Sampler(config, host_environment())
    for _ in range(2):
        _ask_all(made)
    return made


def source(name: str) -> Work:
    """Return one sample of a source of this namespace."""
    chosen = next(known for known in sampler().runners if known.name == name)

    def sample() -> int:
        chosen.run(time.monotonic())
        if chosen.error is not None:
            raise chosen.error
        return chosen.stats.samples

    return Work(sample)


def minute(name: str, before: Callable[[], object]) -> Work:
    """Return a minute's worth of samples of a source, taken as fast as possible, each after `before`.

    Its number is what one sample took on average, in nanoseconds of processor time.
    """
    chosen = next(known for known in sampler().runners if known.name == name)

    def sample() -> int:
        used = 0
        started = time.monotonic()
        samples = round(_MINUTE_SECONDS / chosen.schedule.interval)
        for number in range(samples):
            before()
            begun = time.thread_time_ns()
            chosen.run(started + number * chosen.schedule.interval)
            used += time.thread_time_ns() - begun
        return used // samples

    return Work(sample)


def walk() -> Work:
    """Return a walk over the half-open connections that counts them by listener.

    Its number is what it added to the peak of resident memory, in bytes.
    """
    before = 0

    def reset() -> None:
        nonlocal before
        _CLEAR_REFS.write_text(_RESET_PEAK)
        before = memory("VmRSS")

    def count() -> int:
        half_open.count(netlink.dump(requests.SYN_RECV))
        return memory("VmHWM") - before

    return Work(count, reset)


def page() -> Work:
    """Return the page without histograms, written after a sample of every source; its number is in lines."""
    made = sampler(histogram=False)
    written = _page(made)
    return Work(lambda: written.write(openmetrics=False).count(b"\n"), lambda: _ask_all(made))


def generate() -> Work:
    """Return prometheus_client's own writer on the families of that page, read back from it.

    They are made beforehand, so it pays for writing alone where the page also reads every figure.
    """
    text = _page(sampler(histogram=False)).write(openmetrics=False).decode()
    families = list(text_string_to_metric_families(text))

    class Kept(Collector):
        def collect(self) -> list[Metric]:
            return families

    kept = Kept()
    return Work(lambda: generate_latest(kept).count(b"\n"))


def _ask_all(made: Sampler) -> None:
    for known in made.runners:
        known.run(time.monotonic())


def _page(made: Sampler) -> Page:
    reload = Reload(successful=True, timestamp=0.0)
    return Page(made, lambda: reload, build_info(), SYSTEM_CLOCK, ProcessCollector(registry=None))
