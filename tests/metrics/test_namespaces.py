"""Figures of a kind of source, over several network namespaces."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.metrics.page import Page
from exporter.sampling.namespace import NamespaceSampler
from testbed.page import Page as Read
from tests.listeners.sockets import tcp
from tests.metrics.sample_host import RELOADED, read
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import Simulation

BROKEN = KernelError("dump failed", "ENOBUFS")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Read:
    """A page of two namespaces, of which `blue` failed after its first sample."""
    simulation = Simulation()
    blue = FakeNamespace(simulation.clock.spend, "blue")
    for kernel in (simulation.kernel, blue):
        kernel.tcp.open(tcp(1))
    sampler = simulation.sampler
    other = NamespaceSampler(blue.namespace(), sampler.config, sampler.lock)
    sampler.namespaces.append(other)
    for broken in (None, BROKEN, BROKEN):
        blue.tcp.error = blue.netstat.error = broken
        for source in other.sources:
            source.run(simulation.clock.now)
        sampler.sample()
        simulation.clock.now += 1.0
    return read(Page(sampler, lambda: RELOADED))


def test_each_namespace_has_its_own_success(shown: Read) -> None:
    name = "listen_queue_exporter_source_success"
    assert shown.value(name, source="inet", netns="host") == 1.0
    assert shown.value(name, source="inet", netns="blue") == 0.0


def test_failed_namespace_leaves_the_page_alone(shown: Read) -> None:
    for name in ("listen_queue_accept_length", "listen_queue_netns_listen_overflows_total"):
        assert [dict(labels)["netns"] for labels in shown.all(name)] == ["host"], name


def test_samples_and_errors_of_namespaces_are_added(shown: Read) -> None:
    assert shown.value("listen_queue_exporter_samples_total", source="inet") == 4.0
    assert shown.value("listen_queue_exporter_sample_errors_total", source="inet", reason="ENOBUFS") == 2.0


def test_newest_sample_is_that_of_the_namespace_that_is_furthest_behind(shown: Read) -> None:
    """An alert on its age must fire when one of many hangs."""
    name = "listen_queue_exporter_last_sample_timestamp_seconds"
    assert shown.value(name, source="unix") - shown.value(name, source="inet") == 2.0
