"""While nothing comes in over TCP, empty queues are known to be empty without asking."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from tests.listeners.sockets import tcp
from tests.sampling.sampler_fixture import BEAT_SECONDS, Stage


@pytest.fixture
def quiet(stage: Stage) -> Stage:
    """A host whose listeners cost something to read, and no segment coming in."""
    stage.configure("sampling: {cpu_budget: 100%}")
    stage.kernel.tcp.cost = 0.002
    stage.kernel.segments = 5
    stage.kernel.tcp.open(tcp(1))
    stage.beat(2)
    return stage


def asked_while(stage: Stage, seconds: float) -> int:
    before = stage.kernel.tcp.asked
    stage.until(seconds)
    return stage.kernel.tcp.asked - before


def test_the_kernel_is_asked_once_a_second(quiet: Stage) -> None:
    assert asked_while(quiet, 10.0) == pytest.approx(10, abs=1)


def test_what_costs_little_is_asked_on_every_beat(quiet: Stage) -> None:
    """A look at the gate would cost as much."""
    quiet.kernel.tcp.cost = 0.0005
    quiet.until(1.0 + BEAT_SECONDS)
    assert asked_while(quiet, 1.0) == 20


def test_every_beat_is_a_sample_all_the_same(quiet: Stage) -> None:
    samples = quiet.namespace.inet.samples
    quiet.until(5.0)
    assert quiet.namespace.inet.samples == samples + 100
    counts, _ = quiet.listener("0.0.0.0").accept.histogram() or ([], 0.0)
    assert counts[-1] == quiet.namespace.inet.samples
    assert quiet.namespace.inet.healthy(quiet.clock.now)


def test_a_segment_has_it_asked_on_the_next_beat(quiet: Stage) -> None:
    quiet.kernel.segments = 6
    quiet.kernel.tcp.move(1, length=1)
    quiet.beat()
    assert quiet.listener("0.0.0.0").group.length == 1


def test_a_queue_that_is_not_empty_is_asked_for_on_every_beat(quiet: Stage) -> None:
    """Accepting takes no segment."""
    quiet.kernel.segments = 6
    quiet.kernel.tcp.move(1, length=1)
    quiet.beat()
    assert asked_while(quiet, 1.0) == 20
    quiet.kernel.tcp.move(1, length=0)
    quiet.beat()
    assert quiet.listener("0.0.0.0").group.length == 0


def test_a_listener_that_opens_or_closes_is_noticed_within_a_second(quiet: Stage) -> None:
    quiet.kernel.tcp.open(tcp(2, "::1", 443))
    quiet.until(1.0 + BEAT_SECONDS)
    assert quiet.listener("::1", "443").group.members
    quiet.kernel.tcp.close(2)
    quiet.until(1.0 + BEAT_SECONDS)
    assert not quiet.listener("::1", "443").group.members


def test_after_a_failure_nothing_is_taken_for_known(quiet: Stage) -> None:
    quiet.kernel.tcp.error = KernelError("dump failed", "ENOBUFS")
    quiet.until(1.0 + BEAT_SECONDS)
    failed = quiet.namespace.inet.healthy(quiet.clock.now)
    assert (failed, asked_while(quiet, 1.0)) == (False, 20)


def test_another_configuration_has_it_asked_at_once(quiet: Stage) -> None:
    before = quiet.kernel.tcp.asked
    quiet.configure("sampling: {method: procfs}")
    quiet.beat()
    assert quiet.kernel.tcp.asked == before + 1
