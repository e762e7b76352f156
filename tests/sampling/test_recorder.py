"""What is kept of every sample, for how long, and what goes where there is too much."""

from __future__ import annotations

import pytest

from exporter.config.model import Queue, Severity
from exporter.sampling.history.recording import Recording
from tests.listeners.sockets import endpoint, tcp
from tests.sampling.fake_access import FakeAccess
from tests.sampling.simulation import TICK_SECONDS, Simulation

ADDRESS = "10.0.0.1"


def simulation(config: str = "{}") -> Simulation:
    made = Simulation(config)
    made.kernel.tcp.open(tcp(1, ADDRESS, 80), length=0, limit=9)
    made.tick(30)
    return made


def accept(made: Simulation, seconds: float = 600.0) -> dict[str, Recording]:
    """The changes of accept queues by the port of the listener."""
    found = made.sampler.recorder.recordings(made.clock.now, seconds)
    return {state.group.key.port: changes for state, queue, changes in found if queue is Queue.ACCEPT}


def lengths(recording: Recording) -> list[int | None]:
    return [change.length for change in recording]


def test_a_queue_that_was_always_empty_is_not_recorded() -> None:
    made = simulation()
    made.run_for(30.0)
    assert accept(made) == {}


def test_a_spike_of_one_sample_is_there_with_its_height_and_both_its_ends() -> None:
    made = simulation()
    made.kernel.tcp.change(1, length=7)
    made.tick()
    made.kernel.tcp.change(1, length=0)
    made.run_for(60.0)
    before, spike, after = accept(made)["80"]
    assert (before.length, spike.length, after.length) == (0, 7, 0)
    assert spike.ratio == pytest.approx(0.7)
    assert spike.at - before.at == pytest.approx(TICK_SECONDS)
    assert after.at - spike.at == pytest.approx(TICK_SECONDS)


def test_it_is_forgotten_after_the_window_though_what_is_the_case_now_stays() -> None:
    made = simulation("recorder: {window: 1m}")
    made.kernel.tcp.change(1, length=7)
    made.tick()
    made.kernel.tcp.change(1, length=3)
    made.run_for(90.0)
    assert lengths(accept(made)["80"]) == [3]
    made.kernel.tcp.change(1, length=0)
    made.run_for(90.0)
    assert accept(made) == {}


def test_a_listener_that_is_gone_is_there_until_the_window_is_over() -> None:
    made = simulation()
    made.kernel.tcp.change(1, length=7)
    made.tick()
    made.kernel.tcp.close(1)
    made.run_for(400.0)
    assert lengths(accept(made)["80"]) == [0, 7, None]
    made.run_for(250.0)
    assert accept(made) == {}


def test_of_the_last_seconds_there_is_what_was_the_case_then() -> None:
    made = simulation()
    for length in (5, 6, 0):
        made.kernel.tcp.change(1, length=length)
        made.run_for(10.0)
    assert lengths(accept(made, 15.0)["80"]) == [6, 0]


def test_half_open_connections_are_recorded_too() -> None:
    made = simulation()
    made.kernel.syn_recv_dump.counts[endpoint(ADDRESS, 80)] = 4
    made.run_for(5.0)
    found = made.sampler.recorder.recordings(made.clock.now, 60.0)
    (recording,) = [changes for _, queue, changes in found if queue is Queue.SYN_RECV]
    assert lengths(recording)[-1] == 4


def test_nothing_is_kept_where_the_recorder_is_off() -> None:
    made = simulation()
    made.kernel.tcp.change(1, length=7)
    made.tick()
    assert accept(made)
    made.configure("recorder: {enabled: false}")
    made.kernel.tcp.change(1, length=8)
    made.tick()
    assert accept(made) == {}


def test_the_minute_around_a_crossing_is_kept_for_a_day() -> None:
    made = simulation("recorder: {window: 1m}")
    made.kernel.tcp.change(1, length=2)
    made.run_for(20.0)
    made.kernel.tcp.change(1, length=6)
    made.run_for(10.0)
    made.kernel.tcp.change(1, length=0)
    made.run_for(90.0)
    made.tick(3, seconds=11 * 3600.0)
    (episode,) = made.sampler.recorder.episodes()
    assert (episode.queue, episode.severity, episode.state.group.key.port) == (
        Queue.ACCEPT,
        Severity.WARNING,
        "80",
    )
    assert lengths(episode.changes) == [0, 2, 6, 0]
    made.tick(3, seconds=11 * 3600.0)
    assert made.sampler.recorder.episodes() == []


def test_a_queue_that_crosses_again_and_again_has_an_episode_each_half_minute() -> None:
    made = simulation()
    for _ in range(60):
        made.kernel.tcp.change(1, length=6)
        made.tick(10)
        made.kernel.tcp.change(1, length=0)
        made.tick(10)
    made.run_for(40.0)
    assert len(made.sampler.recorder.episodes()) == 2


def test_where_memory_is_short_the_least_full_queue_loses_its_older_half_first() -> None:
    made = simulation("recorder: {window: 1h, max_mebibytes: 1}")
    made.kernel.tcp.open(tcp(2, ADDRESS, 81), length=0, limit=999)
    made.tick(30)
    recorder = made.sampler.recorder
    for number in range(40_000):
        made.kernel.tcp.change(1, length=number % 2 + 5)
        made.kernel.tcp.change(2, length=number % 2 + 5)
        made.tick()
    found = accept(made, 3600.0)
    assert recorder.dropped
    assert len(found["81"]) < len(found["80"])


def test_a_namespace_that_fills_the_memory_takes_nothing_from_another() -> None:
    access = FakeAccess()
    access.add(1)
    made = Simulation("recorder: {max_mebibytes: 1}", others=access)
    made.kernel.tcp.open(tcp(1, ADDRESS, 80), length=0, limit=99)
    made.tick(seconds=1.0)
    tenant = access.kernels["1"]
    for cookie in range(100, 160):
        tenant.tcp.open(tcp(cookie, ADDRESS, cookie), length=0, limit=4)
    made.tick(8, seconds=1.0)
    made.kernel.tcp.change(1, length=1)
    made.tick()
    made.kernel.tcp.change(1, length=0)
    for number in range(1500):
        for cookie in range(100, 160):
            tenant.tcp.change(cookie, length=5 - number % 2)
        made.tick(seconds=0.05)
    assert made.sampler.recorder.dropped
    assert lengths(accept(made)["80"]) == [0, 1, 0]


def test_the_peaks_of_all_queues_and_the_changes_of_one() -> None:
    made = simulation()
    made.kernel.tcp.change(1, length=5)
    made.run_for(10.0)
    made.kernel.tcp.change(1, length=0)
    made.run_for(10.0)
    recorder, state, now = made.sampler.recorder, made.listener(ADDRESS), made.clock.now
    assert recorder.highest_ratios(Queue.ACCEPT, now - 60.0) == {state: 0.5}
    assert recorder.highest_ratios(Queue.ACCEPT, now - 5.0) == {state: 0.0}
    assert lengths(recorder.recording(state, Queue.ACCEPT, now - 15.0, now)) == [5, 0]
    assert lengths(recorder.recording(state, Queue.SYN_RECV, now - 15.0, now)) == []
    assert recorder.recordings(now, 60.0, lambda _state, queue: queue is Queue.SYN_RECV) == []
