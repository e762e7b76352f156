"""A page that keeps its lines says the same as one that writes all of them anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError
from tests.listeners.sockets import endpoint, tcp, unix
from tests.metrics.sample_host import NoProcessMetrics, page_of
from tests.sampling.fake_namespace import SYSCTLS
from tests.sampling.simulation import Simulation

LENGTHS = st.integers(0, 12)
CONFIGS = st.sampled_from(
    [
        "",
        "sampling: {peak_window: 1s}",
        "sampling: {histogram: false}",
        "labels: [process, user]",
        "defaults: {accept: {warning: 3, critical: 5}, hold: 300ms, release: 1s}",
        "rules: [{name: web, match: {port: 80}, accept: {warning: 1}}]",
    ]
)
Act = Callable[[Simulation], object]


def move(cookie: int, length: int) -> Act:
    def act(simulation: Simulation) -> None:
        (simulation.kernel.unix if cookie == 3 else simulation.kernel.tcp).move(cookie, length=length)

    return act


def drop(drops: int) -> Act:
    return lambda simulation: simulation.kernel.tcp.change(1, drops=drops)


def syn_recv(count: int) -> Act:
    return lambda simulation: simulation.kernel.syn_recv_walk.counts.update({endpoint("10.0.0.1"): count})


def wait(seconds: int) -> Act:
    return lambda simulation: simulation.kernel.waits.update({endpoint("10.0.0.1"): float(seconds)})


def cookies(setting: int) -> Act:
    def act(simulation: Simulation) -> None:
        simulation.kernel.settings = replace(SYSCTLS, syncookies=setting, max_syn_backlog=8)

    return act


def fail(broken: bool) -> Act:  # noqa: FBT001 # drawn, and read nowhere else
    def act(simulation: Simulation) -> None:
        simulation.kernel.tcp.error = KernelError("dump failed", "ENOBUFS") if broken else None

    return act


def elapse(beats: int) -> Act:
    return lambda simulation: simulation.tick(beats)


def configure(config: str) -> Act:
    return lambda simulation: simulation.configure(config)


ACTS = st.one_of(
    st.builds(move, st.integers(1, 3), LENGTHS),
    st.builds(drop, LENGTHS),
    st.builds(syn_recv, LENGTHS),
    st.builds(wait, LENGTHS),
    st.builds(cookies, st.integers(0, 1)),
    st.builds(fail, st.booleans()),
    st.builds(elapse, st.integers(1, 30)),
    st.builds(configure, CONFIGS),
)


@given(acts=st.lists(ACTS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_what_is_kept_is_what_would_be_written(acts: list[Act]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("exporter.metrics.page.ProcessCollector", NoProcessMetrics)
        simulation = Simulation()
        simulation.kernel.tcp.open(tcp(1), tcp(2, "::1", 443))
        simulation.kernel.unix.open(unix(3, b"/run/s"), drops=None)
        simulation.tick()
        keeping = page_of(simulation)
        for act in acts:
            act(simulation)
            simulation.tick()
            assert keeping.write(openmetrics=False) == page_of(simulation).write(openmetrics=False)


def test_large_counts_are_written_as_go_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a million samples as after one: the histogram of a host that runs for days."""
    simulation = Simulation()
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    simulation.runner("inet").clock.samples += 1_000_000
    assert b'le="+Inf"' in (page := page_of(simulation).write(openmetrics=False))
    assert b" 1.000001e+06\n" in page
