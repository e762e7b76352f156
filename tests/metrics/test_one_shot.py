"""The page of one look has what one look can tell, and nothing that would be wrong."""

from __future__ import annotations

from exporter.metrics.catalogue import HISTOGRAM, LISTENER_METRICS, THRESHOLD_METRICS
from exporter.metrics.exporter_families import EXPORTER_METRICS
from exporter.metrics.page import Page
from testbed.page import metrics
from tests.metrics.sample_host import RELOADED
from tests.sampling.simulation import Simulation

EVERY = (*LISTENER_METRICS, HISTOGRAM, *THRESHOLD_METRICS, *(metric for metric, _ in EXPORTER_METRICS))


def text(host: Simulation) -> str:
    """The page of one look at this host."""
    return Page(host.sampler, lambda: RELOADED, one_shot=True).write(openmetrics=False).decode()


def test_what_takes_time_is_left_out_with_its_header(host: Simulation) -> None:
    written = text(host)
    left_out = [metric.name for metric in EVERY if metric.needs_history]
    assert left_out
    assert not [name for name in left_out if f"{name}_total{{" in written or f" {name}" in written]


def test_what_one_look_tells_is_as_on_the_whole_page(host: Simulation) -> None:
    whole = metrics(Page(host.sampler, lambda: RELOADED).write(openmetrics=False).decode())
    one = metrics(text(host))
    assert one.samples.items() <= whole.samples.items()
    told = {name for name, _ in one.samples}
    assert {metric.sample_name for metric in EVERY if not metric.needs_history} <= told
    assert not any(name.startswith("process_") for name in told)


def test_counters_of_the_exporter_and_of_time_are_all_marked() -> None:
    """A counter that starts with the process says nothing after one look; one of the kernel does."""
    counted_by_the_kernel = {"listen_queue_drops"}
    counters = {metric.name for metric in EVERY if metric.kind == "counter"} - counted_by_the_kernel
    assert counters == {metric.name for metric in EVERY if metric.kind == "counter" and metric.needs_history}
