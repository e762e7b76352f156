"""The counters of a namespace are read where a segment came in, and its settings each time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.config.model import Config
from exporter.kernel.errors import KernelError
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.counters import Counters
from tests.sampling.fake_namespace import COUNTERS, FakeNamespace


@pytest.fixture
def kernel() -> FakeNamespace:
    return FakeNamespace(lambda _seconds: None)


@pytest.fixture
def counters(kernel: FakeNamespace) -> Counters:
    return Counters(kernel.namespace(), ListenerTable("host", Config()))


def asked(kernel: FakeNamespace, counters: Counters, *segments: int | None) -> list[int]:
    """How often the counters have been read after each of these numbers of segments, a second apart."""
    reads = []
    for now, number in enumerate(segments):
        kernel.segments = number
        answer, _ = counters.ask(float(now))
        assert answer == COUNTERS
        reads.append(kernel.netstat.asked)
    return reads


def test_they_are_read_once_while_no_segment_comes_in(kernel: FakeNamespace, counters: Counters) -> None:
    assert asked(kernel, counters, 0, 0, 0) == [1, 1, 1]


def test_they_are_read_after_each_segment(kernel: FakeNamespace, counters: Counters) -> None:
    assert asked(kernel, counters, 5, 5, 6, 6, 7, 8) == [1, 1, 2, 2, 3, 4]


def test_they_are_read_each_time_where_segments_are_not_counted(
    kernel: FakeNamespace, counters: Counters
) -> None:
    assert asked(kernel, counters, None, None, None) == [1, 2, 3]


def test_after_a_read_that_failed_they_are_read_again(kernel: FakeNamespace, counters: Counters) -> None:
    assert asked(kernel, counters, 1, 1) == [1, 1]
    kernel.segments = 2
    kernel.netstat.error = KernelError("no descriptor left", "EMFILE")
    with pytest.raises(KernelError):
        counters.ask(2.0)
    kernel.netstat.error = None
    assert counters.ask(3.0)[0] == COUNTERS
    assert kernel.netstat.asked == 3


def test_a_setting_is_seen_while_no_segment_comes_in(kernel: FakeNamespace, counters: Counters) -> None:
    kernel.segments = 0
    counters.ask(0.0)
    kernel.settings = replace(kernel.settings, somaxconn=17)
    assert counters.ask(1.0)[1].somaxconn == 17
