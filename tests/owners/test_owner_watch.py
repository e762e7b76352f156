"""Which owners have ended, have another name, or have closed a socket."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from exporter.owners.owner_watch import OwnerWatch
from tests.owners.fake_host import FakeHost

LOOK_SECONDS = 2.0
READ_SECONDS = 20.0


def watching(host: FakeHost, inodes: Mapping[int, Collection[int]]) -> OwnerWatch:
    """A watch of processes, by number, that own sockets; it begins at 0 seconds.

    Those that are called `start` hold sockets for others.
    """
    watch = OwnerWatch(host, lambda process: process.name == b"start")
    watch.set_owners({host.processes[pid][0]: held for pid, held in inodes.items()}, 0.0)
    return watch


def changed(watch: OwnerWatch, now: float) -> set[int]:
    """Return which processes are not as they were."""
    return {pid for pid in watch.changed(now) if pid is not None}


def test_nothing_is_due_where_no_process_is_watched(host: FakeHost) -> None:
    watch = watching(host, {})
    assert not watch.due(1000.0)
    host.run(10, b"web", 1)
    watch = watching(host, {10: [1]})
    assert watch.due(0.0)
    assert changed(watch, 0.0) == set()
    assert not watch.due(LOOK_SECONDS - 0.1)
    assert watch.due(LOOK_SECONDS)


def test_a_process_that_has_ended_is_noticed_at_once(host: FakeHost) -> None:
    host.run(10, b"web", 1)
    watch = watching(host, {10: [1]})
    assert changed(watch, READ_SECONDS) == set()
    del host.processes[10]
    assert changed(watch, READ_SECONDS + LOOK_SECONDS) == {10}


def test_another_process_with_its_number_and_name_is_noticed(host: FakeHost) -> None:
    host.run(10, b"web", 1)
    watch = watching(host, {10: [1]})
    host.run(10, b"web", 1, started=77)
    assert changed(watch, LOOK_SECONDS) == {10}


def test_what_was_found_before_a_process_became_another_program_is_looked_at_too(host: FakeHost) -> None:
    """As a child of a service manager, which still has sockets of its parent until execve(2)."""
    host.run(10, b"manager", 1, 2)
    before, _ = host.processes[10]
    host.run(10, b"shopd", 2)
    after, _ = host.processes[10]
    for owners in ({before: [1], after: [2]}, {after: [2], before: [1]}):
        watch = OwnerWatch(host, lambda _: False)
        watch.set_owners(owners, 0.0)
        assert changed(watch, LOOK_SECONDS) == {10}


def test_after_the_first_time_a_name_is_read_seldom(host: FakeHost) -> None:
    host.run(10, b"web", 1)
    watch = watching(host, {10: [1]})
    assert changed(watch, LOOK_SECONDS) == set()
    host.run(10, b"renamed", 1)
    assert changed(watch, 2 * LOOK_SECONDS) == set()
    assert changed(watch, LOOK_SECONDS + READ_SECONDS) == {10}


def test_the_name_of_one_that_holds_sockets_for_others_is_read_often(host: FakeHost) -> None:
    """As systemd-socket-activate, or a script, it may become the program."""
    host.run(10, b"start", 1)
    watch = watching(host, {10: [1]})
    assert changed(watch, LOOK_SECONDS) == set()
    host.run(10, b"shopd", 1)
    assert changed(watch, 2 * LOOK_SECONDS) == {10}


def test_the_same_process_is_not_looked_at_sooner_when_it_is_set_again(host: FakeHost) -> None:
    host.run(10, b"web", 1)
    watch = watching(host, {10: [1]})
    assert changed(watch, LOOK_SECONDS) == set()
    host.read_pids.clear()
    watch.set_owners({host.processes[10][0]: [1]}, LOOK_SECONDS)
    assert changed(watch, 2 * LOOK_SECONDS) == set()
    assert host.read_pids == []


def test_another_process_with_its_number_is_looked_at_soon(host: FakeHost) -> None:
    host.run(10, b"web", 1)
    watch = watching(host, {10: [1]})
    assert changed(watch, LOOK_SECONDS) == set()
    host.run(10, b"web", 1, started=77)
    watch.set_owners({host.processes[10][0]: [1]}, LOOK_SECONDS)
    host.run(10, b"renamed", 1, started=77)
    assert changed(watch, 2 * LOOK_SECONDS) == {10}


def test_a_socket_that_was_closed_is_noticed_and_told_once(host: FakeHost) -> None:
    host.run(10, b"web", 1, 2)
    watch = watching(host, {10: [1, 2]})
    host.run(10, b"renamed", 1)
    found = [pid for pid in watch.changed(LOOK_SECONDS) if pid is not None]
    assert found == [10]


def test_a_process_that_denies_itself_has_closed_nothing(host: FakeHost) -> None:
    host.run(10, b"web", 1)
    watch = watching(host, {10: [1]})
    host.denied = {10}
    assert changed(watch, LOOK_SECONDS) == set()


@pytest.mark.parametrize("later", [1, 2])
def test_the_sockets_are_read_as_far_as_they_are_held(host: FakeHost, later: int) -> None:
    """And not again before twenty seconds have passed."""
    host.run(10, b"web", 1)
    watch = watching(host, {10: [1]})
    for number in range(later):
        assert changed(watch, (number + 1) * LOOK_SECONDS) == set()
    assert host.read_pids == [10]


def test_processes_that_were_found_together_are_read_at_different_times(host: FakeHost) -> None:
    """To read hundreds at once would leave queues unseen meanwhile."""
    pids = range(100, 200)
    for pid in pids:
        host.run(pid, b"web", pid)
    watch = watching(host, {pid: [pid] for pid in pids})
    rounds = []
    for number in range(1, 1 + round((LOOK_SECONDS + 3 * READ_SECONDS) / LOOK_SECONDS)):
        host.read_pids.clear()
        assert changed(watch, number * LOOK_SECONDS) == set()
        rounds.append(list(host.read_pids))
    first, *later = rounds
    assert set(first) == set(pids)
    assert max(map(len, later)) <= 11
    period = round(READ_SECONDS / LOOK_SECONDS)
    for start in range(0, len(later) - period + 1, period):
        read = {pid for found in later[start : start + period] for pid in found}
        assert read == set(pids), "and each of them within the time between two reads"
