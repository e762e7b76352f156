"""Figures of the sources of one name, over several network namespaces."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from testbed.page import Page as Read
from tests.listeners.sockets import tcp
from tests.metrics.sample_host import page_of, read
from tests.sampling.fake_access import FakeAccess
from tests.sampling.simulation import Simulation

BROKEN = KernelError("dump failed", "ENOBUFS")


@pytest.fixture
def found() -> Read:
    """A page of two namespaces, of which `blue` failed after its first sample."""
    others = FakeAccess()
    others.add(1, name="blue")
    simulation = Simulation(others=others)
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick(seconds=1.0)
    others.kernels["blue"].tcp.error = others.kernels["blue"].netstat.error = BROKEN
    # Counters are read every three seconds where all queues are empty.
    simulation.tick(4, seconds=1.0)
    return read(page_of(simulation))


def test_each_namespace_has_its_own_success(found: Read) -> None:
    name = "listen_queue_exporter_source_success"
    assert found.value(name, source="inet", netns="host") == 1.0
    assert found.value(name, source="inet", netns="blue") == 0.0


def test_failed_namespace_leaves_the_page_alone(found: Read) -> None:
    for name in ("listen_queue_accept_length", "listen_queue_netns_listen_overflows_total"):
        assert [dict(labels)["netns"] for labels in found.all(name)] == ["host"], name


def test_samples_and_errors_of_namespaces_are_added(found: Read) -> None:
    assert found.value("listen_queue_exporter_samples_total", source="inet") == 6.0
    assert found.value("listen_queue_exporter_sample_errors_total", source="inet", reason="ENOBUFS") == 4.0


def test_newest_sample_is_that_of_the_namespace_that_is_furthest_behind(found: Read) -> None:
    """An alert on its age must fire when one of many hangs."""
    name = "listen_queue_exporter_last_sample_timestamp_seconds"
    assert found.value(name, source="unix") - found.value(name, source="inet") == 4.0


def test_each_namespace_has_the_interval_at_which_it_is_sampled() -> None:
    """The one that is busy is sampled as often as configured, and the others as the budget allows."""
    others = FakeAccess()
    others.keep = True
    others.add(1, 2, 3)
    others.costs = dict.fromkeys("123", 0.002)
    simulation = Simulation(others=others)
    simulation.run_loop_for(1.0)
    others.kernels["2"].tcp.change(1, length=1)
    simulation.run_loop_for(10.0)
    slots = simulation.sampler.namespace_scheduler.slots
    found = read(page_of(simulation)).all("listen_queue_exporter_namespace_sample_interval_seconds")
    intervals = {dict(labels)["netns"]: value for labels, value in found.items()}
    assert intervals.keys() == {"host", "1", "2", "3"}
    assert {slot.sampler.name: slot.schedule.interval_in_force for slot in slots}.items() <= intervals.items()
    assert intervals["2"] < intervals["1"] == intervals["3"]
    runners = [simulation.runner(name) for name in ("inet", "unix")]
    assert intervals["host"] == max(runner.schedule.interval_in_force for runner in runners)
