"""The counters of a namespace are read where a segment came in, and its settings each time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.config.model import Config
from exporter.kernel.errors import KernelError
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.netstat import Netstat
from tests.sampling.fake_namespace import COUNTERS, FakeNamespace


@pytest.fixture
def kernel() -> FakeNamespace:
    return FakeNamespace(lambda _seconds: None)


@pytest.fixture
def netstat(kernel: FakeNamespace) -> Netstat:
    return Netstat(kernel.namespace(), ListenerTable("host", Config()))


def asked(kernel: FakeNamespace, netstat: Netstat, *segments: int | None) -> list[int]:
    """How often the counters have been read after each of these numbers of segments, a second apart."""
    reads = []
    for now, number in enumerate(segments):
        kernel.segments = number
        answer, _ = netstat.ask(float(now))
        assert answer == COUNTERS
        reads.append(kernel.netstat.asked)
    return reads


def test_they_are_read_once_while_no_segment_comes_in(kernel: FakeNamespace, netstat: Netstat) -> None:
    assert asked(kernel, netstat, 0, 0, 0) == [1, 1, 1]


def test_they_are_read_after_each_segment(kernel: FakeNamespace, netstat: Netstat) -> None:
    assert asked(kernel, netstat, 5, 5, 6, 6, 7, 8) == [1, 1, 2, 2, 3, 4]


def test_they_are_read_each_time_where_segments_are_not_counted(
    kernel: FakeNamespace, netstat: Netstat
) -> None:
    assert asked(kernel, netstat, None, None, None) == [1, 2, 3]


def test_after_a_read_that_failed_they_are_read_again(kernel: FakeNamespace, netstat: Netstat) -> None:
    assert asked(kernel, netstat, 1, 1) == [1, 1]
    kernel.segments = 2
    kernel.netstat.error = KernelError("no descriptor left", "EMFILE")
    with pytest.raises(KernelError):
        netstat.ask(2.0)
    kernel.netstat.error = None
    assert netstat.ask(3.0)[0] == COUNTERS
    assert kernel.netstat.asked == 3


def test_a_setting_is_seen_while_no_segment_comes_in(kernel: FakeNamespace, netstat: Netstat) -> None:
    kernel.segments = 0
    netstat.ask(0.0)
    kernel.settings = replace(kernel.settings, somaxconn=17)
    assert netstat.ask(1.0)[1].somaxconn == 17
