"""Another configuration while the loop runs."""

from __future__ import annotations

from exporter.config.model import Severity
from exporter.kernel.records import Method
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.sampler_fixture import Stage


def intervals(stage: Stage) -> dict[str, float]:
    return {source.name: source.interval for source in stage.sampler.sources}


def test_histories_go_on(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), length=10, drops=2)
    stage.kernel.syn.counts = {endpoint("10.0.0.1"): 4}
    stage.beat(11)
    web = stage.listener("0.0.0.0")
    before = (web.accept.histogram(), web.accept.full_seconds(), web.accept.peak_length(), web.group.drops)
    stage.configure("defaults: {accept: {critical: 100%}}")
    assert stage.listener("0.0.0.0") is web
    after = (web.accept.histogram(), web.accept.full_seconds(), web.accept.peak_length(), web.group.drops)
    assert after == before
    assert stage.shown()


def test_new_thresholds_are_in_force_at_once(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), length=4)
    stage.beat()
    accept = stage.listener("0.0.0.0").accept
    assert not accept.active(Severity.WARNING)
    stage.configure("defaults: {accept: {warning: 4}}")
    assert accept.active(Severity.WARNING)
    stage.configure("defaults: {release: 0s}")
    assert not accept.active(Severity.WARNING)


def test_rule_may_take_a_listener_off_the_page_and_bring_it_back(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), length=10)
    stage.kernel.unix.open(unix(2))
    stage.beat(11)
    stage.configure("rules: [{name: no-tcp, match: {protocol: tcp}, export: false}]")
    stage.beat()
    assert stage.shown() == [("/run/app.sock", "")]
    stage.configure("")
    stage.beat()
    assert [address for address, _ in stage.shown()] == ["/run/app.sock", "0.0.0.0"]
    assert stage.listener("0.0.0.0").accept.histogram() == ([0] * 7 + [13], 13.0)


def test_listener_that_opens_later_is_judged_by_the_new_rules(stage: Stage) -> None:
    stage.beat()
    stage.configure("rules: [{name: no-tcp, match: {protocol: tcp}, export: false}]")
    stage.kernel.tcp.open(tcp(1))
    stage.beat()
    assert stage.shown() == []


def test_pace_follows_where_it_is_slower_than_a_source_may_be(stage: Stage) -> None:
    """What walks every connection of the host keeps to its own cadence."""
    fast = {
        "inet": 0.05,
        "unix": 0.05,
        "owners": 0.05,
        "syn_recv": 0.25,
        "oldest_wait": 1.0,
        "netstat": 1.0,
    }
    assert intervals(stage) == fast
    stage.configure("sampling: {interval: 3s}")
    assert intervals(stage) == dict.fromkeys(fast, 3.0) | {"netstat": 1.0}
    stage.configure("")
    assert intervals(stage) == fast


def test_new_pace_waits_for_no_old_beat(stage: Stage) -> None:
    stage.configure("sampling: {interval: 10s}")
    stage.beat()
    stage.configure("sampling: {interval: 50ms}")
    asked = stage.kernel.tcp.asked
    stage.beat(3)
    assert stage.kernel.tcp.asked == asked + 3
    assert stage.namespace.inet.missed == 0


def test_other_window_is_in_force_at_once(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), length=5)
    stage.beat()
    stage.kernel.tcp.move(1, length=1)
    stage.beat()
    stage.clock.now += 4.0
    stage.beat()
    accept = stage.listener("0.0.0.0").accept
    assert accept.peak_length() == 5
    stage.configure("sampling: {peak_window: 1s}")
    assert accept.peak_length() == 1


def test_way_to_ask_is_chosen_anew(stage: Stage) -> None:
    stage.configure("sampling: {method: procfs}")
    assert stage.kernel.tcp.fallback.method is Method.PROCFS
    assert stage.namespace.methods()["unix"] == "procfs"
    assert stage.namespace.methods()["syn_recv"] == "procfs"
