"""The lines of namespaces and of the exporter are what prometheus_client writes of the same families."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from exporter.kernel.errors import KernelError
from exporter.metrics.catalogue import OTHER_METRICS
from exporter.metrics.context import ScrapeContext
from exporter.metrics.exposition import EOF
from exporter.metrics.families import FamilyLines
from exporter.metrics.namespace_metrics import NAMESPACE
from tests.metrics.sample_host import BUILD, RELOADED, sample_host
from tests.sampling.fake_access import FakeAccess
from tests.sampling.simulation import Simulation

BROKEN = KernelError("dump failed", "ENOBUFS")
AWKWARD = 'a"\\\n é漢\U0001f600'


class Reference(Collector):
    """The same families as a registry."""

    def __init__(self, context: ScrapeContext, *, one_shot: bool) -> None:
        self.context = context
        self.one_shot = one_shot

    def collect(self) -> Iterator[Family]:
        """Make each family by its declaration."""
        for metric in OTHER_METRICS:
            if self.one_shot and metric.needs_history:
                continue
            family = Family(metric.name, metric.help, metric.type)
            assert metric.subject.items is not None
            for labels, item in metric.subject.items(self.context):
                of_namespace = metric.subject is NAMESPACE and metric.source
                if of_namespace and not item.healthy(metric.source, self.context.now):
                    continue
                value = metric.read(item)
                if value is not None:
                    family.add_sample(metric.sample_name, labels, value)
            yield family


def many_namespaces() -> Simulation:
    """A host with many namespaces, of which one has failed and one has an awkward name."""
    others = FakeAccess()
    others.add(*range(1, 20))
    others.add(20, name="blue")
    others.add(21, name=AWKWARD)
    simulation = Simulation(others=others)
    simulation.tick(3, seconds=1.0)
    others.kernels["blue"].netstat.error = BROKEN
    simulation.tick(8, seconds=1.0)
    return simulation


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("one_shot", [False, True])
@pytest.mark.parametrize("host", [sample_host, many_namespaces, Simulation])
def test_lines_are_those_of_prometheus_client(
    host: type[Simulation], *, openmetrics: bool, one_shot: bool
) -> None:
    """Byte for byte, in both formats."""
    simulation = host()
    build = replace(BUILD, version=AWKWARD)
    context = ScrapeContext(simulation.sampler, RELOADED, build, simulation.clock.now, 3, {"host": 10**7})
    reference = Reference(context, one_shot=one_shot)
    written = b"".join(FamilyLines(context, {}, one_shot=one_shot).write(openmetrics=openmetrics))
    expected: bytes = generate_openmetrics(reference) if openmetrics else generate_latest(reference)
    assert written.decode().splitlines() == expected.removesuffix(EOF).decode().splitlines()
    assert written == expected.removesuffix(EOF)


def test_a_source_that_failed_has_no_lines_and_the_others_have() -> None:
    simulation = many_namespaces()
    context = ScrapeContext(simulation.sampler, RELOADED, BUILD, simulation.clock.now, 0, {})
    written = b"".join(FamilyLines(context, {}, one_shot=False).write(openmetrics=False)).decode()
    lines = [
        line for line in written.splitlines() if line.startswith("listen_queue_sysctl_net_core_somaxconn{")
    ]
    assert len(lines) == 21
    assert not any('"blue"' in line for line in lines)


def test_the_text_of_labels_is_kept_from_one_page_to_the_next_and_no_longer() -> None:
    """Namespaces come and go, and their names are numbers that do not come again."""
    simulation = many_namespaces()
    context = ScrapeContext(simulation.sampler, RELOADED, BUILD, simulation.clock.now, 0, {})
    first = FamilyLines(context, {}, one_shot=False)
    list(first.write(openmetrics=False))
    again = FamilyLines(context, {**first.texts, (("netns", "gone"),): "{}"}, one_shot=False)
    list(again.write(openmetrics=False))
    assert first.texts
    assert again.texts == first.texts
    assert all(again.texts[key] is text for key, text in first.texts.items())
