"""The parts of the exporter that are measured without its process around them, or observed within it.

No other module of the benchmark imports the exporter's packages.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from bench.process_memory import memory
from bench.repetition import Repetition
from exporter import __version__
from exporter.broker.capabilities import permitted
from exporter.broker.supervisor import start
from exporter.cli.build import build_info
from exporter.cli.main import main
from exporter.config.model import Config
from exporter.kernel.family import TCP, UNIX
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.sock_diag import syn_recv
from exporter.kernel.sock_diag.dump import dump
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.environment import host_environment
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.sampler import Sampler
from exporter.sampling.source_runner import SourceRunner

VERSION: Final = __version__
# The requests that the exporter sends, for programs that send the same.
TCP_LISTENERS: Final = TCP.rows.request
UNIX_LISTENERS: Final = UNIX.rows.request
SYN_RECV: Final = syn_recv.REQUEST

_MAX_LISTENERS: Final = 100_000
_MINUTE_SECONDS: Final = 60.0
# Of the samples in memory_growth, one page is written for this many.
_SAMPLES_A_SCRAPE: Final = 300
# proc_pid_clear_refs(5): 5 resets the peak of resident memory.
_CLEAR_REFS: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"
_WARM_UP: Final = 3
_NAMESPACE_SOURCES: Final = ("inet", "unix")
_LISTENER_SOURCE: Final = "inet"


def sample(source: str) -> Repetition:
    """One sample of a source of this namespace. Its number is how many samples were taken so far."""
    chosen = _source(_sampler(), source)

    def run() -> int:
        chosen.run(time.monotonic())
        _raise_error(chosen)
        return chosen.stats.samples

    return Repetition(run)


def minute(source: str, before: Callable[[], object]) -> Repetition:
    """A minute's worth of samples of a source without the pauses, each after `before`.

    Its number is the mean processor time of a sample, in nanoseconds.
    """
    chosen = _source(_sampler(), source)

    def run() -> int:
        used = 0
        started = time.monotonic()
        samples = round(_MINUTE_SECONDS / chosen.schedule.interval)
        for number in range(samples):
            before()
            begun = time.thread_time_ns()
            chosen.run(started + number * chosen.schedule.interval)
            used += time.thread_time_ns() - begun
        return used // samples

    return Repetition(run)


def count_syn_recv() -> Repetition:
    """A dump of the half-open connections that counts them by listener.

    Its number is what it added to the peak of resident memory, in bytes.
    """
    before = 0
    sockets = own_namespace().sockets

    def prepare() -> None:
        nonlocal before
        _CLEAR_REFS.write_text(_RESET_PEAK)
        before = memory("VmRSS")

    def run() -> int:
        syn_recv.count(dump(syn_recv.REQUEST, sockets))
        return memory("VmHWM") - before

    return Repetition(run, prepare)


def write_page() -> Repetition:
    """The page without histograms, after a sample of every source. Its number is how many lines it has."""
    sampler = _sampler(histogram=False)
    page = _page(sampler)
    return Repetition(lambda: page.write(openmetrics=False).count(b"\n"), lambda: _sample_all(sampler))


def generate_page() -> Repetition:
    """`generate_latest` of prometheus_client for the families of that page, which are parsed beforehand."""
    text = _page(_sampler(histogram=False)).write(openmetrics=False).decode()
    families = list(text_string_to_metric_families(text))

    class Families(Collector):
        def collect(self) -> list[Metric]:
            return families

    collector = Families()
    return Repetition(lambda: generate_latest(collector).count(b"\n"))


def sample_namespaces() -> Repetition:
    """A sample of the TCP and the unix listeners of every other namespace, through the broker.

    Its number is how many namespaces were sampled.
    """
    broker = BrokerClient(start(permitted()))
    scheduler = NamespaceScheduler(Config(), host_environment(broker), threading.Lock())
    scheduler.discovery_runner.run(time.monotonic())
    scheduler.update()

    def run() -> int:
        now = time.monotonic()
        for slot in scheduler.slots:
            slot.schedule.run_now()
            for runner in slot.sampler.runners:
                if runner.name in _NAMESPACE_SOURCES:
                    runner.schedule.run_now()
                else:
                    runner.schedule.postpone(now + _MINUTE_SECONDS)
        while scheduler.sample(now, _raise_error):
            pass
        return len(scheduler.slots)

    for _ in range(_WARM_UP):
        run()
    return Repetition(run, other_cpu_seconds=_descendants_cpu_seconds)


def memory_growth(samples: int, every: int) -> Iterator[tuple[int, int]]:
    """Take samples of all sources for times that lie the interval apart, without the pauses.

    Yields the samples taken so far and the resident memory in bytes, at the start and after `every` samples.
    """
    # The memory of its code is part of that of the daemon.
    importlib.import_module("exporter.cli.daemon")
    config = Config()
    sampler = Sampler(config, host_environment())
    page = _page(sampler)
    sampler.sample()
    page.write(openmetrics=True)
    yield 0, memory("VmRSS")
    started = time.monotonic()
    for number in range(1, samples + 1):
        now = started + number * config.sampling.interval_seconds
        for runner in sampler.runners:
            if runner.schedule.is_due(now):
                runner.run(now)
        if number % _SAMPLES_A_SCRAPE == 0:
            page.write(openmetrics=True)
        if number % every == 0:
            yield number, memory("VmRSS")


def run_noting_lateness(arguments: Sequence[str]) -> tuple[int, list[tuple[float, float]]]:
    """Run the daemon with these flags until it is stopped.

    Returns its exit status and, for each sample of the listeners, the monotonic time at which it began and
    the seconds since it was due.
    """
    noted: list[tuple[float, float]] = []
    original = SourceRunner.run

    def run(runner: SourceRunner, now: float) -> None:
        if runner.name == _LISTENER_SOURCE and runner.schedule.due is not None:
            noted.append((now, now - runner.schedule.due))
        original(runner, now)

    SourceRunner.run = run  # type: ignore[assignment,method-assign]  # the lateness is published nowhere
    return main(arguments), noted


def _sampler(*, histogram: bool = True) -> Sampler:
    """Return a sampler of this namespace whose sources have run twice, so that no listener is new to it."""
    config = Config(max_listeners=_MAX_LISTENERS)
    config = replace(config, sampling=replace(config.sampling, histogram=histogram))
    sampler = Sampler(config, host_environment())
    for _ in range(2):
        _sample_all(sampler)
    return sampler


def _source(sampler: Sampler, name: str) -> SourceRunner:
    return next(runner for runner in sampler.runners if runner.name == name)


def _sample_all(sampler: Sampler) -> None:
    for runner in sampler.runners:
        runner.run(time.monotonic())


def _page(sampler: Sampler) -> Page:
    reload = Reload(successful=True, timestamp=0.0)
    return Page(sampler, lambda: reload, build_info(), SYSTEM_CLOCK, ProcessCollector(registry=None))


def _raise_error(runner: SourceRunner) -> None:
    if runner.error is not None:
        raise runner.error


def _descendants_cpu_seconds(pid: str = "self") -> float:
    """Return the processor time of all processes that this one has started: the supervisor and the broker."""
    proc = Path("/proc")
    seconds = 0.0
    for children in proc.glob(f"{pid}/task/*/children"):
        for child in children.read_text().split():
            used = int((proc / child / "schedstat").read_text().split()[0])
            seconds += used / 1e9 + _descendants_cpu_seconds(child)
    return seconds
