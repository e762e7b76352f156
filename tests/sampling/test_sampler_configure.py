"""Another configuration while the sampler runs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.config import parse
from exporter.config.model import Severity
from exporter.kernel.records import Method
from testbed.waiting import DEADLINE_SECONDS
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import Simulation, real_time_sampler


def intervals(simulation: Simulation) -> dict[str, float]:
    return {runner.name: runner.schedule.interval for runner in simulation.sampler.runners}


def test_histories_go_on(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=10, drops=2)
    simulation.kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): 4}
    simulation.tick(11)
    web = simulation.listener("0.0.0.0")
    before = (web.accept.histogram(), web.accept.full_seconds(), web.accept.peak_length(), web.group.drops)
    simulation.configure("defaults: {accept: {critical: 100%}}")
    assert simulation.listener("0.0.0.0") is web
    after = (web.accept.histogram(), web.accept.full_seconds(), web.accept.peak_length(), web.group.drops)
    assert after == before
    assert simulation.published()


def test_new_thresholds_are_in_force_at_once(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=4)
    simulation.tick()
    accept = simulation.listener("0.0.0.0").accept
    assert not accept.active(Severity.WARNING)
    simulation.configure("defaults: {accept: {warning: 4}}")
    assert accept.active(Severity.WARNING)
    simulation.configure("defaults: {release: 0s}")
    assert not accept.active(Severity.WARNING)


def test_rule_may_take_a_listener_off_the_page_and_put_it_back(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=10)
    simulation.kernel.unix.open(unix(2))
    simulation.tick(11)
    simulation.configure("rules: [{name: no-tcp, match: {protocol: tcp}, export: false}]")
    simulation.tick()
    assert simulation.published() == [("/run/app.sock", "")]
    simulation.configure("{}")
    simulation.tick()
    assert [address for address, _ in simulation.published()] == ["/run/app.sock", "0.0.0.0"]
    assert simulation.listener("0.0.0.0").accept.histogram() == ((0,) * 7 + (13,), 13.0)


def test_new_rules_apply_to_a_listener_that_opens_later(simulation: Simulation) -> None:
    simulation.tick()
    simulation.configure("rules: [{name: no-tcp, match: {protocol: tcp}, export: false}]")
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    assert simulation.published() == []


def test_interval_of_a_source_follows_where_it_is_longer_than_its_shortest(simulation: Simulation) -> None:
    """A source that walks every connection of the host keeps its own interval."""
    fast = {
        "inet": 0.05,
        "unix": 0.05,
        "owners": 0.05,
        "syn_recv": 0.25,
        "oldest_wait": 1.0,
        "netstat": 1.0,
    }
    assert intervals(simulation) == fast
    simulation.configure("sampling: {interval: 3s}")
    assert intervals(simulation) == dict.fromkeys(fast, 3.0) | {"netstat": 1.0}
    simulation.configure("{}")
    assert intervals(simulation) == fast


def test_new_interval_waits_for_no_old_due_time(simulation: Simulation) -> None:
    simulation.configure("sampling: {interval: 4s}")
    simulation.tick()
    simulation.configure("sampling: {interval: 50ms}")
    asked = simulation.kernel.tcp.asked
    simulation.tick(3)
    assert simulation.kernel.tcp.asked == asked + 3
    assert simulation.runner("inet").stats.missed == 0


def test_other_window_is_in_force_at_once(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=5)
    simulation.tick()
    simulation.kernel.tcp.change(1, length=1)
    simulation.tick()
    simulation.clock.now += 4.0
    simulation.tick()
    accept = simulation.listener("0.0.0.0").accept
    assert accept.peak_length() == 5
    simulation.configure("sampling: {peak_window: 1s}")
    assert accept.peak_length() == 1


def test_method_is_chosen_anew(simulation: Simulation) -> None:
    simulation.configure("sampling: {method: procfs}")
    assert simulation.kernel.tcp.fallback.method is Method.PROCFS
    assert simulation.runner("unix").method == "procfs"
    assert simulation.runner("syn_recv").method == "procfs"


def test_a_configuration_is_taken_between_two_ticks() -> None:
    """What is read in a tick changes with it, such as the groups of sockets."""
    kernel = FakeNamespace(lambda _seconds: None)
    answers, answering = threading.Event(), threading.Event()

    def answer() -> None:
        answering.set()
        assert answers.wait(DEADLINE_SECONDS)

    kernel.tcp.on_answer = answer
    sampler = real_time_sampler(kernel)
    before, after = sampler.config, parse("labels: []", "c.yaml")
    sampler.start(failed=lambda: None)
    with ThreadPoolExecutor(1) as threads:
        try:
            assert answering.wait(DEADLINE_SECONDS)
            taken = threads.submit(sampler.configure, after)
            with pytest.raises(TimeoutError):
                taken.result(0.2)
            assert sampler.config is before
        finally:
            answers.set()
        taken.result(DEADLINE_SECONDS)
        assert sampler.config is after
        sampler.stop(DEADLINE_SECONDS)
