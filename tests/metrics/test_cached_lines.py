"""A page that keeps lines is the same as one that writes all of them anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError
from exporter.kernel.family import TCP
from tests.listeners.sockets import endpoint, tcp, unix
from tests.metrics.sample_host import page_of
from tests.sampling.fake_namespace import SYSCTLS
from tests.sampling.simulation import Simulation

LENGTHS = st.integers(0, 12)
CONFIGS = st.sampled_from(
    [
        "{}",
        "sampling: {peak_window: 1s}",
        "defaults: {export: full}",
        "rules: [{name: web, match: {port: 80}, export: full}, {name: s, match: {port: 443}, export: false}]",
        "labels: [process, user]",
        "rules: [{name: both, match: {protocol: tcp}, fold: true}]",
        "rules: [{name: one, match: {port: 80}, fold: true, export: full}]",
        "defaults: {accept: {warning: 3, critical: 5}, hold: 300ms, release: 1s}",
        "rules: [{name: web, match: {port: 80}, accept: {warning: 1}}]",
    ]
)
Step = Callable[[Simulation], object]


def change(cookie: int, length: int) -> Step:
    def step(simulation: Simulation) -> None:
        (simulation.kernel.unix if cookie == 3 else simulation.kernel.tcp).change(cookie, length=length)

    return step


def drop(drops: int) -> Step:
    return lambda simulation: simulation.kernel.tcp.change(1, drops=drops)


def syn_recv(count: int) -> Step:
    return lambda simulation: simulation.kernel.syn_recv_dump.counts.update({endpoint("10.0.0.1"): count})


def wait(seconds: int) -> Step:
    return lambda simulation: simulation.kernel.waits.update({endpoint("10.0.0.1"): float(seconds)})


def cookies(setting: int) -> Step:
    def step(simulation: Simulation) -> None:
        simulation.kernel.settings = replace(SYSCTLS, syncookies=setting, max_syn_backlog=8)

    return step


def fail(broken: bool) -> Step:  # noqa: FBT001 # drawn, and read nowhere else
    def step(simulation: Simulation) -> None:
        simulation.kernel.tcp.error = KernelError("dump failed", "ENOBUFS") if broken else None

    return step


def elapse(ticks: int) -> Step:
    return lambda simulation: simulation.tick(ticks)


def configure(config: str) -> Step:
    return lambda simulation: simulation.configure(config)


STEPS = st.one_of(
    st.builds(change, st.integers(1, 3), LENGTHS),
    st.builds(drop, LENGTHS),
    st.builds(syn_recv, LENGTHS),
    st.builds(wait, LENGTHS),
    st.builds(cookies, st.integers(0, 1)),
    st.builds(fail, st.booleans()),
    st.builds(elapse, st.integers(1, 30)),
    st.builds(configure, CONFIGS),
)


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_what_is_kept_is_what_would_be_written(steps: list[Step]) -> None:
    simulation = Simulation()
    simulation.kernel.tcp.open(tcp(1), tcp(2, "::1", 443))
    simulation.kernel.unix.open(unix(3, b"/run/s"), drops=None)
    simulation.tick()
    keeping = page_of(simulation)
    for step in steps:
        step(simulation)
        simulation.tick()
        assert keeping.write(openmetrics=False) == page_of(simulation).write(openmetrics=False)


def test_large_counts_are_written_as_go_does() -> None:
    """After a million samples as after one: the histogram of a host that runs for days."""
    simulation = Simulation("defaults: {export: full}")
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    timeline = simulation.namespace.table.accept_timelines[TCP]
    for _ in range(1_000_000):
        timeline.record(simulation.clock.now)
    assert b'le="+Inf"' in (page := page_of(simulation).write(openmetrics=False))
    assert b" 1.000001e+06\n" in page
