"""The parts of the exporter that are measured without its process around them, or observed within it.

No other module of the benchmark imports the exporter's packages.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from bench.process_memory import memory
from bench.repetition import Repetition
from exporter import __version__
from exporter.cli.build import build_info
from exporter.cli.main import main
from exporter.config import Config, parse
from exporter.kernel.family import TCP, UNIX
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.sock_diag import syn_recv
from exporter.kernel.sock_diag.dump import dump
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.environment import host_environment
from exporter.sampling.sampler import Sampler
from exporter.sampling.source_runner import SourceRunner

VERSION: Final = __version__
# The requests that the exporter sends, for programs that send the same.
TCP_LISTENERS: Final = TCP.rows.requests[0]
UNIX_LISTENERS: Final = UNIX.rows.requests[0]
SYN_RECV: Final = syn_recv.REQUEST

_MAX_LISTENERS: Final = 100_000
_MINUTE_SECONDS: Final = 60.0
# Of the samples in memory_growth, one page is written for this many.
_SAMPLES_A_SCRAPE: Final = 300
# proc_pid_clear_refs(5): 5 resets the peak of resident memory.
_CLEAR_REFS: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"
_OWNER_WAIT_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.01
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


def write_page(export: str) -> Repetition:
    """The page with the series that `export` names, after a sample of every source.

    Its number is how many lines it has.
    """
    sampler = _sampler(export)
    page = _page(sampler)
    return Repetition(lambda: page.write(openmetrics=False).count(b"\n"), lambda: _sample_all(sampler))


def generate_page(export: str) -> Repetition:
    """`generate_latest` of prometheus_client for the families of that page, which are parsed beforehand."""
    text = _page(_sampler(export)).write(openmetrics=False).decode()
    families = list(text_string_to_metric_families(text))

    class Families(Collector):
        def collect(self) -> list[Metric]:
            return families

    collector = Families()
    return Repetition(lambda: generate_latest(collector).count(b"\n"))


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


def _sampler(export: str = "lean") -> Sampler:
    """Return a sampler of this namespace whose sources have run twice, so that no listener is new to it.

    What is looked up of owners in other threads is there: without it a listener is not on the page yet.
    """
    text = f"max_listeners: {_MAX_LISTENERS}\ndefaults: {{export: {export}}}\n"
    sampler = Sampler(parse(text, "bench"), host_environment())
    for _ in range(2):
        _sample_all(sampler)
    until = time.monotonic() + _OWNER_WAIT_SECONDS
    while not sampler.all_owners_searched():
        if time.monotonic() > until:
            raise TimeoutError(f"owners are still looked for after {_OWNER_WAIT_SECONDS:g} s")
        time.sleep(_PAUSE_SECONDS)
        sampler.search_owners()
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
