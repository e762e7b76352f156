"""What a command samples that ends by itself, where the search for owners takes long."""

from __future__ import annotations

import pytest

from exporter.api.listeners import Listeners
from exporter.api.query import ListenerQuery
from exporter.cli.host_sampling import check, sample_all
from exporter.errors import RunError
from exporter.sampling.timed_sampling import sample_for
from tests.listeners.sockets import tcp
from tests.sampling.simulation import Simulation


def slow_to_search() -> Simulation:
    """A host on which it takes 6 seconds to look at the sockets of one process."""
    made = Simulation()
    made.kernel.tcp.open(tcp(1, "10.0.0.1", 80), length=0, limit=9)
    made.host.run(77, b"web", 100)

    def wait(_pid: int) -> None:
        made.clock.now += 6.0

    made.host.before_read = wait
    return made


def processes(made: Simulation) -> list[str]:
    """The process of each listener that is shown."""
    check(made.sampler, made.clock.clock())
    document = Listeners(made.sampler, made.clock.clock()).document(ListenerQuery())
    return [row["process"] for row in document["listeners"]]


def test_queues_are_sampled_once_more_after_a_long_search_for_owners() -> None:
    made = slow_to_search()
    sample_all(made.sampler, made.clock.clock())
    assert processes(made) == ["web"]


def test_so_they_are_at_the_end_of_a_watch() -> None:
    made = slow_to_search()
    sample_all(made.sampler, made.clock.clock())

    def sleep(seconds: float) -> None:
        made.clock.now += max(seconds, 0.01)
        # A new process, so that there is something to look for.
        made.kernel.tcp.open(tcp(2, "10.0.0.1", 81), length=0, limit=9)
        made.host.run(78, b"new", 200)

    sample_for(made.sampler, 0.1, made.clock.clock(), sleep)
    assert len(processes(made)) == 2


def test_where_figures_are_old_all_the_same_there_is_no_empty_answer() -> None:
    made = slow_to_search()
    made.sampler.sample()
    with pytest.raises(RunError, match=r"cannot read the listeners: inet: .*older than 5 s"):
        check(made.sampler, made.clock.clock())


def test_a_quick_search_costs_no_second_sample() -> None:
    made = slow_to_search()
    made.host.before_read = lambda _pid: None
    sample_all(made.sampler, made.clock.clock())
    assert made.runner("inet").stats.samples == 1
