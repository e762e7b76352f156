"""The loop as a whole: who is asked when, what it may cost, and how it ends."""

from __future__ import annotations

import logging
import threading

import pytest

from exporter.kernel.errors import KernelError
from exporter.sampling.namespace import NamespaceSampler
from tests.listeners.sockets import tcp, unix
from tests.sampling.fake_namespace import Kernel
from tests.sampling.sampler_fixture import BEAT_SECONDS, Stage

PATIENCE_SECONDS = 10.0
FAILED = KernelError("dump failed", "ENOBUFS")


def asked(stage: Stage) -> list[int]:
    kernel = stage.kernel
    return [question.asked for question in (kernel.tcp, kernel.unix, kernel.syn, kernel.netstat)]


def test_first_sample_asks_everything(stage: Stage) -> None:
    stage.sampler.sample()
    assert asked(stage) == [1, 1, 1, 1]


def test_each_source_has_its_own_cadence(stage: Stage) -> None:
    stage.until(10.0)
    assert asked(stage) == [pytest.approx(count, abs=1) for count in (200, 200, 40, 10)]
    assert {source.missed for source in stage.sampler.sources} == {0}


def test_sample_returns_when_the_next_is_due(stage: Stage) -> None:
    assert stage.sampler.sample() == stage.clock.now + BEAT_SECONDS
    assert stage.sampler.sample() == stage.clock.now + BEAT_SECONDS, "nothing was due"
    assert asked(stage) == [1, 1, 1, 1]


def test_costly_source_slows_itself_and_not_its_neighbours(stage: Stage) -> None:
    """5 ms on each beat of 50 is a tenth of a core, where a fiftieth is granted: every sixth beat."""
    stage.kernel.unix.cost = 0.005
    stage.kernel.tcp.cost = 0.0001
    stage.until(5.0)
    inet, unix_source = stage.namespace.inet, stage.namespace.unix
    assert inet.interval_in_force == BEAT_SECONDS
    assert unix_source.interval_in_force == pytest.approx(6 * BEAT_SECONDS)
    before = stage.clock.spent
    stage.until(60.0)
    assert stage.clock.spent - before <= 60.0 * 0.02 * 1.05


def test_source_that_became_cheap_gets_its_interval_back(stage: Stage) -> None:
    stage.kernel.tcp.cost = 0.005
    stage.until(5.0)
    assert stage.namespace.inet.interval_in_force > BEAT_SECONDS
    stage.kernel.tcp.cost = 0.0001
    stage.until(30.0)
    assert stage.namespace.inet.interval_in_force == BEAT_SECONDS


def test_slower_budget_of_a_new_configuration_is_kept(stage: Stage) -> None:
    stage.kernel.tcp.cost = 0.001
    stage.until(5.0)
    assert stage.namespace.inet.interval_in_force == BEAT_SECONDS
    stage.configure("sampling: {cpu_budget: 1%}")
    stage.until(5.0)
    assert stage.namespace.inet.interval_in_force == pytest.approx(0.1)


def test_host_that_slept_is_sampled_once(stage: Stage) -> None:
    """An hour of beats is counted as missed, and not caught up."""
    stage.beat(10)
    before = asked(stage)
    stage.clock.now += 3600.0
    stage.sampler.sample()
    stage.sampler.sample()
    assert asked(stage) == [count + 1 for count in before]
    assert stage.namespace.inet.missed == pytest.approx(3600.0 / BEAT_SECONDS, abs=1)


def test_failure_of_a_source_leaves_the_others(stage: Stage) -> None:
    stage.kernel.tcp.error = FAILED
    stage.kernel.unix.open(unix(1))
    stage.beat(10)
    healthy = {source.name for source in stage.sampler.sources if source.healthy(stage.clock.now)}
    assert healthy == {"unix", "syn_recv", "netstat", "oldest_wait", "owners"}
    assert stage.shown() == [("/run/app.sock", "")]
    assert stage.sampler.failure is None


def test_failure_is_logged_once_and_so_is_its_end(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage.beat(3)
    stage.kernel.tcp.error = FAILED
    stage.beat(10)
    stage.kernel.tcp.error = None
    stage.beat(10)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "source failed: dump failed: ENOBUFS"),
        ("INFO", "source works again"),
    ]
    assert {record.__dict__["fields"]["source"] for record in caplog.records} == {"inet"}


def test_namespaces_are_told_apart(stage: Stage) -> None:
    other = Kernel(stage.clock.spend, "blue")
    stage.kernel.tcp.open(tcp(1))
    other.tcp.open(tcp(1), length=5)
    sampler = stage.sampler
    blue = NamespaceSampler(other.namespace(), sampler.config, sampler.lock)
    sampler.namespaces.append(blue)
    blue.inet.run(stage.clock.now)
    sampler.sample()
    shown = {each.group.key.netns: each.group.length for each in sampler.shown(stage.clock.now)}
    assert shown == {"host": 0, "blue": 5}


def test_thread_samples_until_it_is_stopped(stage: Stage) -> None:
    """It is ready when every source was asked once."""
    sampler = stage.sampler
    assert not sampler.ready()
    again = threading.Event()
    stage.kernel.tcp.on_answer = lambda: again.set() if stage.kernel.tcp.asked > 1 else None
    stage.clock.step = BEAT_SECONDS
    failures: list[str] = []
    sampler.start(lambda: failures.append("failed"))
    assert again.wait(PATIENCE_SECONDS)
    assert sampler.ready()
    sampler.stop(PATIENCE_SECONDS)
    assert (failures, sampler.failure) == ([], None)
    assert "sampler" not in {thread.name for thread in threading.enumerate()}


def test_error_that_nobody_foresaw_ends_the_loop_and_is_told(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Better no exporter, which an alert sees, than one whose figures stand still."""
    stage.kernel.syn.error = RuntimeError("a bug")
    failed = threading.Event()
    stage.sampler.start(failed.set)
    assert failed.wait(PATIENCE_SECONDS)
    stage.sampler.stop(PATIENCE_SECONDS)
    assert stage.sampler.failure is stage.kernel.syn.error
    assert not stage.sampler.ready()
    assert [record.getMessage() for record in caplog.records] == ["sampling failed and cannot go on"]


def test_sampler_that_was_never_started_can_be_stopped(stage: Stage) -> None:
    stage.sampler.stop(PATIENCE_SECONDS)


def test_ready_takes_an_answer_and_not_only_a_question(stage: Stage) -> None:
    """A host of which nothing can be read is never ready."""
    questions = (stage.kernel.tcp, stage.kernel.unix, stage.kernel.syn, stage.kernel.netstat)
    for question in questions:
        question.error = FAILED
    asked_once = threading.Event()
    stage.kernel.netstat.on_answer = asked_once.set
    stage.sampler.start(lambda: None)
    assert asked_once.wait(PATIENCE_SECONDS)
    assert not stage.sampler.ready()
    stage.sampler.stop(PATIENCE_SECONDS)


def test_sources_that_are_due_within_a_millisecond_are_asked_in_one_go(stage: Stage) -> None:
    stage.sampler.sample()
    stage.namespace.unix.due += 0.0009
    stage.clock.now = stage.namespace.inet.due
    stage.sampler.sample()
    assert asked(stage)[:2] == [2, 2]
