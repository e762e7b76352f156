"""A sampler that runs for some seconds in the calling thread."""

from __future__ import annotations

from exporter.kernel.family import FAMILIES
from exporter.kernel.netns.access import NamespaceAccess
from exporter.sampling.timed_sampling import sample_for
from tests.listeners.sockets import tcp
from tests.sampling.fake_access import FakeAccess
from tests.sampling.simulation import Simulation


def test_it_samples_at_the_interval_until_the_time_is_over() -> None:
    made = Simulation("sampling: {interval: 50ms, cpu_budget: 100%}")
    made.kernel.tcp.open(tcp(1, "10.0.0.1", 80), length=0, limit=9)
    made.sampler.sample()
    began, before = made.clock.now, made.runner("inet").stats.samples
    seen = []

    def sleep(seconds: float) -> None:
        made.clock.now += max(seconds, 0.001)

    sample_for(made.sampler, 2.0, made.clock.clock(), sleep, lambda: seen.append(made.clock.now))
    assert 2.0 <= made.clock.now - began < 2.1
    assert 35 <= made.runner("inet").stats.samples - before <= 45
    assert seen[-1] == made.clock.now


def test_every_namespace_is_sampled_once_more_at_the_end_however_many_there_are() -> None:
    others = FakeAccess()
    others.add(*range(3 * NamespaceAccess.max_at_once))
    made = Simulation("sampling: {cpu_budget: 100%}", others=others)
    while not made.sampler.all_namespaces_sampled():
        made.tick()
    began = made.clock.now

    def sleep(_: float) -> None:
        made.clock.now += 0.01

    sample_for(made.sampler, 0.01, made.clock.clock(), sleep)
    newest = [each.table.accept_timelines[FAMILIES[0]].newest for each in made.sampler.namespaces]
    assert len(newest) == 3 * NamespaceAccess.max_at_once + 1
    assert min(newest) > began


def test_every_source_runs_once_more_at_the_end() -> None:
    made = Simulation()
    made.sampler.sample()

    def sleep(_: float) -> None:
        made.clock.now += 0.01

    sample_for(made.sampler, 0.01, made.clock.clock(), sleep)
    # None of these is due so soon.
    samples = {runner.name: runner.stats.samples for runner in made.sampler.runners}
    assert [samples[name] for name in ("inet", "unix", "netstat")] == [2, 2, 2]
