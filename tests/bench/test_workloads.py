"""Namespaces of the benchmark: what is in them, and that nothing of them is left."""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from pathlib import Path

import pytest

from bench.workloads.containers import Containers
from bench.workloads.entered_namespace import entered
from bench.workloads.episodes import BACKLOG, PEAK_WINDOW_SECONDS, Episodes, Published, SlowListener
from bench.workloads.namespaces import Namespaces, OpenNamespaces
from testbed import privileges, process_tree, programs
from testbed.waiting import until

TWO = Namespaces(2, tcp=3, unix=1)
WITH_TRAFFIC = Namespaces(2, tcp=3, traffic=True)


def inode(pid: int | str) -> int:
    """The network namespace of a process."""
    return Path(f"/proc/{pid}/ns/net").stat().st_ino


@pytest.mark.netns
def test_each_namespace_has_its_listeners_and_a_process() -> None:
    assert TWO.listeners == 8
    with OpenNamespaces(TWO) as opened:
        assert len({inode("self"), *map(inode, opened.pids)}) == 3
        for pid in opened.pids:
            with entered(pid):
                assert len(programs.output("ss", "-Htln").splitlines()) == 3
                assert len(programs.output("ss", "-Hxl").splitlines()) == 1
    assert process_tree.descendants(os.getpid()) == [os.getpid()]


@pytest.mark.netns
def test_with_traffic_connections_come_to_each_tcp_listener() -> None:
    def ports(pid: int) -> set[str]:
        with entered(pid):
            lines = programs.output("ss", "-Htn", "state", "time-wait").splitlines()
        return {line.split()[3].rpartition(":")[2] for line in lines}

    assert str(WITH_TRAFFIC).endswith(", each with traffic")
    with OpenNamespaces(WITH_TRAFFIC) as opened:
        for pid in opened.pids:
            until(partial(ports, pid), lambda found: len(found) == 3)
    assert process_tree.descendants(os.getpid()) == [os.getpid()]


@pytest.mark.netns
def test_its_processes_end_after_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), OpenNamespaces(TWO):
        raise ZeroDivisionError
    assert process_tree.descendants(os.getpid()) == [os.getpid()]


@pytest.mark.netns
def test_a_namespace_that_cannot_be_made_is_an_error() -> None:
    privileges.drop_to()
    with pytest.raises(RuntimeError, match="not permitted"), OpenNamespaces(TWO):
        pass
    assert process_tree.descendants(os.getpid()) == [os.getpid()]


@pytest.mark.netns
def test_a_thread_that_entered_is_back_after_an_error_too() -> None:
    own = inode("thread-self")
    with OpenNamespaces(TWO) as opened:
        with entered(opened.pids[0]):
            assert inode("thread-self") == inode(opened.pids[0])
        with pytest.raises(ZeroDivisionError), entered(opened.pids[0]):
            raise ZeroDivisionError
        assert inode("thread-self") == own


@pytest.mark.netns
def test_an_episode_fills_the_queue_in_the_namespace_of_a_process() -> None:
    with OpenNamespaces(TWO) as opened:
        listener = SlowListener(20_000, opened.pids[0])
        begin, end = listener.fill(0.05)
        assert 0.05 <= end - begin < 5
        with entered(opened.pids[0]):
            queue = programs.output("ss", "-Htln", "sport = :20000").split()
            assert queue[1:3] == ["0", f"{BACKLOG}"]
        assert not programs.output("ss", "-Htln")
        listener.close()


@pytest.mark.netns
def test_a_killed_container_takes_its_veth_with_it() -> None:
    with Containers() as containers:
        one, other = containers.make(), containers.make()
        assert containers.running == [one, other]
        assert socket.if_nametoindex(one.interface)
        assert 0 < containers.removal_seconds(one) < 5
        assert containers.running == [other]
    until(
        lambda: [name for _, name in socket.if_nameindex() if name.startswith("veth")], lambda left: not left
    )
    assert process_tree.descendants(os.getpid()) == [os.getpid()]


def test_an_episode_whose_page_was_read_after_the_peak_window_is_not_judged() -> None:
    pages = 0

    def scrape(_: int) -> Published:
        nonlocal pages
        pages += 1
        time.sleep(PEAK_WINDOW_SECONDS if pages > 1 else 0.0)
        return Published(0.0, 0.05 * (pages - 1))

    made = Episodes(0, scrape)
    made.start()
    until(lambda: pages, lambda count: count > 1)
    made.stop()
    assert made.episodes == []
    assert made.full_seconds == pytest.approx(0.05 * (pages - 1))
