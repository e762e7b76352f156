"""A source that does not answer: the sampler is late, which the service manager is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.sampling.sampler import Sampler
from testbed.waiting import DEADLINE_SECONDS, until
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import real_time_sampler

LATE_SECONDS = 0.3


@contextmanager
def started(sampler: Sampler) -> Iterator[Sampler]:
    sampler.start(lambda: None)
    yield sampler
    sampler.stop(DEADLINE_SECONDS)


def test_it_is_late_as_long_as_a_source_blocks() -> None:
    kernel = FakeNamespace(lambda _seconds: None)
    answers = threading.Event()
    answers.set()
    kernel.tcp.on_answer = lambda: answers.wait(DEADLINE_SECONDS)
    with started(real_time_sampler(kernel)) as sampler:
        until(sampler.all_sources_ran, bool)
        answers.clear()
        until(sampler.late_seconds, lambda late: late > LATE_SECONDS)
        answers.set()
        until(sampler.late_seconds, lambda late: late < LATE_SECONDS)


def test_not_every_source_was_asked_while_the_first_sample_blocks() -> None:
    kernel = FakeNamespace(lambda _seconds: None)
    answers = threading.Event()
    kernel.netstat.on_answer = lambda: answers.wait(DEADLINE_SECONDS)
    with started(real_time_sampler(kernel)) as sampler:
        until(lambda: kernel.netstat.asked, bool)
        assert not sampler.all_sources_ran()
        answers.set()
        until(sampler.all_sources_ran, bool)
