"""Listeners get the names of their owners, and keep what was counted."""

from __future__ import annotations

import pytest

from exporter.config.model import Severity
from exporter.sampling.namespace import NamespaceSampler
from tests.listeners.sockets import tcp, unix
from tests.sampling.fake_namespace import Kernel
from tests.sampling.sampler_fixture import Stage

LONGER_THAN_A_STEP = 0.02


def after_the_first_look(stage: Stage, others: int) -> None:
    """Go on to when looks are taken in steps, one process a step, with so many other processes."""
    stage.host.run(1, b"init", 7700)
    stage.kernel.unix.open(unix(77))
    stage.beat()
    for pid in range(10, 9 + others):
        stage.host.run(pid, b"other")
    stage.walk_cost = LONGER_THAN_A_STEP


def shown_tcp(stage: Stage) -> list[tuple[str, str]]:
    return [each for each in stage.shown() if each[0] == "0.0.0.0"]


def test_first_sample_has_names(stage: Stage) -> None:
    """However long that takes: the first page is complete."""
    for pid in range(10, 60):
        stage.host.run(pid, b"other")
    stage.host.run(99, b"nginx", 100)
    stage.walk_cost = LONGER_THAN_A_STEP
    stage.kernel.tcp.open(tcp(1))
    stage.beat()
    assert stage.shown() == [("0.0.0.0", "nginx")]


def test_later_looks_are_taken_in_steps(stage: Stage) -> None:
    """With a sample of the queues between any two."""
    after_the_first_look(stage, others=5)
    stage.host.run(99, b"nginx", 100)
    stage.kernel.tcp.open(tcp(1))
    asked = stage.kernel.tcp.asked
    beats = 0
    while not shown_tcp(stage):
        stage.beat()
        beats += 1
    assert beats == 8, "six processes, the owner once more, and the end"
    assert stage.kernel.tcp.asked == asked + beats


def test_owner_that_arrives_later_keeps_the_counters(stage: Stage) -> None:
    """And the listener stays off the page meanwhile, so that it is one series from the start."""
    after_the_first_look(stage, others=5)
    stage.host.run(99, b"nginx", 100)
    stage.kernel.tcp.open(tcp(1), length=10, drops=3)
    stage.beat()
    web = stage.listener("0.0.0.0")
    assert shown_tcp(stage) == []
    stage.beat(9)
    assert shown_tcp(stage) == [("0.0.0.0", "nginx")]
    assert stage.listener("0.0.0.0") is web
    assert web.accept.full_seconds() == pytest.approx(0.45)
    assert web.group.drops == 3


def test_listener_is_shown_without_a_name_after_a_second(stage: Stage) -> None:
    after_the_first_look(stage, others=200)
    stage.kernel.tcp.open(tcp(1))
    stage.until(0.9)
    assert shown_tcp(stage) == []
    stage.until(0.2)
    assert shown_tcp(stage) == [("0.0.0.0", "")]


def test_name_that_shows_up_late_is_no_other_program(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), length=10)
    stage.beat(11)
    assert stage.shown() == [("0.0.0.0", "")]
    web = stage.listener("0.0.0.0")
    stage.host.run(99, b"nginx", 100)
    stage.until(6.0)
    assert stage.shown() == [("0.0.0.0", "nginx")]
    assert stage.listener("0.0.0.0") is web


def test_same_program_that_restarts_goes_on(stage: Stage) -> None:
    stage.host.run(10, b"nginx", 100)
    stage.kernel.tcp.open(tcp(1), length=10, drops=3)
    stage.beat(11)
    web = stage.listener("0.0.0.0")
    stage.host.processes.clear()
    stage.host.run(20, b"nginx", 200)
    stage.kernel.tcp.close(1)
    stage.kernel.tcp.open(tcp(2), length=0, drops=1)
    stage.beat(2)
    assert stage.listener("0.0.0.0") is web
    assert web.accept.full_seconds() == pytest.approx(0.55)
    assert web.group.drops == 4


def test_other_program_that_takes_the_place_starts_anew(stage: Stage) -> None:
    """Its counters are a new series; what its queue holds already counts for it from now on."""
    stage.host.run(10, b"nginx", 100)
    stage.kernel.tcp.open(tcp(1), length=10, drops=3)
    stage.beat(11)
    stage.host.processes.clear()
    stage.host.run(20, b"haproxy", 200)
    stage.kernel.tcp.close(1)
    stage.kernel.tcp.open(tcp(2), length=10, drops=1)
    stage.beat()
    web = stage.listener("0.0.0.0")
    assert stage.shown() == [("0.0.0.0", "haproxy")]
    assert web.group.drops == 1
    assert (web.accept.length, web.accept.full_seconds()) == (10, 0.0)
    assert web.accept.active(Severity.CRITICAL)
    stage.beat(10)
    assert web.accept.full_seconds() == pytest.approx(0.5)
    assert web.accept.histogram() == ([0] * 7 + [11], 11.0)


def test_owner_that_may_no_longer_be_seen_is_no_other_program(stage: Stage) -> None:
    stage.host.run(10, b"nginx", 100)
    stage.kernel.tcp.open(tcp(1), drops=3)
    stage.beat()
    web = stage.listener("0.0.0.0")
    stage.host.processes.clear()
    stage.kernel.tcp.close(1)
    stage.kernel.tcp.open(tcp(2), drops=1)
    stage.beat()
    assert stage.listener("0.0.0.0") is web
    assert web.group.drops == 4


def test_rule_about_a_process_speaks_when_the_owner_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, "rules: [{name: hidden, match: {process: sshd}, export: false}]")
    stage.host.run(10, b"nginx", 100)
    stage.host.run(11, b"sshd", 200)
    stage.kernel.tcp.open(tcp(1, "10.0.0.1"), tcp(2, "10.0.0.2"))
    stage.beat()
    assert stage.shown() == [("10.0.0.1", "nginx")]


def test_new_socket_of_a_known_group_takes_its_name(stage: Stage) -> None:
    stage.host.run(10, b"nginx", 100, 200)
    stage.kernel.tcp.open(tcp(1))
    stage.beat()
    stage.kernel.tcp.open(tcp(2))
    stage.beat()
    assert stage.shown() == [("0.0.0.0", "nginx")]
    assert stage.host.full_searches == 2


def test_listeners_that_close_cost_no_walk(stage: Stage) -> None:
    stage.host.run(10, b"nginx", 100, 200)
    stage.kernel.tcp.open(tcp(1), tcp(2))
    stage.beat()
    stage.kernel.tcp.close(2)
    stage.beat(10)
    assert stage.host.full_searches == 1


def test_socket_whose_owner_is_denied_makes_the_source_unhealthy(stage: Stage) -> None:
    """Who runs without privileges is told, and how many listeners have no name."""
    stage.host.run(10, b"secret", 100)
    stage.host.denied = {10}
    stage.kernel.tcp.open(tcp(1))
    stage.beat()
    owner_resolver = stage.sampler.owner_resolver
    assert not owner_resolver.source.healthy(stage.clock.now)
    assert owner_resolver.source.errors == {"EACCES": 1}
    assert owner_resolver.without_owner() == 1
    assert stage.shown() == [("0.0.0.0", "")]


def test_mptcp_listener_is_known_by_its_inode(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1, "10.0.0.1"), tcp(2, "10.0.0.2"))
    stage.kernel.unix.open(unix(3))
    stage.kernel.mptcp = frozenset({200})
    stage.beat()
    assert [stage.listener(at).mptcp for at in ("10.0.0.1", "10.0.0.2")] == [False, True]


def test_names_are_asked_for_only_where_one_may_still_change(stage: Stage) -> None:
    """A host has many namespaces, and in most of them nothing happens."""
    stage.host.run(10, b"nginx", 100)
    stage.kernel.tcp.open(tcp(1))
    stage.beat()
    blue = Kernel(stage.clock.spend, "blue")
    other = NamespaceSampler(blue.namespace(), stage.sampler.config, stage.sampler.lock)
    stage.sampler.namespaces.append(other)
    stage.listener("0.0.0.0").owner = None
    stage.host.run(11, b"redis", 101)
    blue.tcp.open(tcp(2, inode=101))
    other.inet.run(stage.clock.now)
    stage.beat(3)
    assert [state.owner.process for state in other.states.values() if state.owner] == ["redis"]
    assert stage.listener("0.0.0.0").owner is None
