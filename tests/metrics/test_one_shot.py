"""The page of a single sample has what one sample can tell, and nothing that would be wrong."""

from __future__ import annotations

from exporter.metrics.catalogue import CATALOGUE
from exporter.metrics.namespace_metrics import NAMESPACE_METRICS
from testbed.page import metrics
from tests.metrics.sample_host import page_of
from tests.sampling.simulation import Simulation


def text(host: Simulation) -> str:
    """The page of a program that ends with it."""
    return page_of(host, process=None).write(openmetrics=False).decode()


def test_what_needs_history_is_left_out_with_its_header(host: Simulation) -> None:
    written = text(host)
    left_out = [metric.name for metric in CATALOGUE if metric.needs_history]
    assert left_out
    assert not [name for name in left_out if f"{name}_total{{" in written or f" {name}" in written]


def test_the_rest_is_as_on_the_whole_page(host: Simulation) -> None:
    whole = metrics(page_of(host).write(openmetrics=False).decode())
    single = metrics(text(host))
    assert single.samples.items() <= whole.samples.items()
    names = {name for name, _ in single.samples}
    assert {metric.sample_name for metric in CATALOGUE if not metric.needs_history} <= names


def test_counters_of_the_exporter_and_of_time_are_all_marked() -> None:
    """A counter that starts with the process tells nothing after one sample; one of the kernel does."""
    counted_by_the_kernel = {"listen_queue_drops"} | {metric.name for metric in NAMESPACE_METRICS}
    counters = {metric.name for metric in CATALOGUE if metric.type == "counter"} - counted_by_the_kernel
    assert counters == {
        metric.name for metric in CATALOGUE if metric.type == "counter" and metric.needs_history
    }
