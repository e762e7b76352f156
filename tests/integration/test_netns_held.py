"""Namespaces stay open while they live, and not a moment longer."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time

import pytest

from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.integration.foreign_sender import Ready
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import (
    descriptors,
    inside,
    listeners,
    only,
    sampled,
    sampled_of_all,
    supervisor_and_broker,
    until_shown,
    watching,
)

log = logging.getLogger(__name__)
pytestmark = pytest.mark.netns
# So little that each namespace is sampled every four seconds.
STARVED = "interval: 50ms, cpu_budget: 0.1%"


def devices() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def listen_on_8081(ready: Ready) -> None:
    """Listen until it is killed."""
    with socket.create_server(("0.0.0.0", 8081), backlog=7):
        ready()
        while True:
            signal.pause()


def test_a_container_that_dies_is_closed_at_once_however_seldom_it_is_sampled() -> None:
    with Namespaces() as namespaces:
        made = [namespaces.container() for _ in range(3)]
        for index, each in enumerate(made):
            each.veth(f"10.98.{index}.1/30", f"10.98.{index}.2/30", device=str(each.inode))
            each.listen_tcp(8080)
        with watching(only(*(str(each.inode) for each in made), sampling=STARVED)) as daemon:
            for each in made:
                until_shown(daemon, str(each.inode), (8080, 128))
            opened = descriptors(daemon.pid)
            for left, each in enumerate(made):
                each.stop()
                stopped = time.monotonic()
                until(devices, lambda names: str(each.inode) not in names)  # noqa: B023  (called at once)
                log.info("gone after %.3f s", time.monotonic() - stopped)
                until(lambda: listeners(daemon.metrics()).get(str(each.inode)), equals(None))  # noqa: B023
                until_figure(daemon, 3 - left, "exporter_namespaces")
            # A socket, a pidfd and the files of each.
            assert descriptors(daemon.pid) < opened - 3 * 3


def test_a_namespace_whose_name_is_removed_is_closed_at_once() -> None:
    with Namespaces() as namespaces:
        made = namespaces.named("held-web")
        made.veth("10.98.0.1/30", "10.98.0.2/30", device="here")
        made.listen_tcp(8080)
        with watching(only("held-*", sampling=STARVED)) as daemon:
            until_shown(daemon, "held-web", (8080, 128))
            made.stop()
            # The name keeps the namespace, and the exporter sees that nobody listens in it any more.
            until(lambda: listeners(daemon.metrics()).get("held-web"), equals(None))
            assert figure(daemon, "exporter_source_success", source="inet", netns="held-web") == 1
            assert "here" in devices()
            namespaces.remove_name("held-web")
            until(devices, lambda names: "here" not in names)
            until_figure(daemon, 1, "exporter_namespaces")


def test_a_namespace_whose_first_process_ends_is_sampled_on_by_way_of_another() -> None:
    with Namespaces() as namespaces:
        made = namespaces.container()
        name = str(made.inode)
        made.listen_tcp(8080)
        made.veth("10.98.0.1/30", "10.98.0.2/30", device="here")
        with watching(only(name)) as daemon:
            until_shown(daemon, name, (8080, 128))
            with inside(made, listen_on_8081):
                until_shown(daemon, name, (8080, 128), (8081, 7))
                before = sampled(daemon, name)
                made.stop()
                until_shown(daemon, name, (8081, 7))
                until(lambda: sampled(daemon, name), lambda now: now > before)
                assert "here" in devices()
            until(devices, lambda names: "here" not in names)
            until(lambda: listeners(daemon.metrics()).get(name), equals(None))


def test_the_broker_has_nothing_to_do_where_no_process_comes_or_goes() -> None:
    with Namespaces() as namespaces:
        made = [namespaces.container() for _ in range(3)]
        for each in made:
            each.listen_tcp(8080)
        with watching(only(*(str(each.inode) for each in made))) as daemon:
            for each in made:
                until_shown(daemon, str(each.inode), (8080, 128))
            _, broker = supervisor_and_broker(daemon)
            os.kill(broker, signal.SIGSTOP)
            before = sampled_of_all(daemon, [str(each.inode) for each in made])
            for name, first in before.items():
                until(lambda: sampled(daemon, name), lambda now: now >= first + 50)  # noqa: B023
            os.kill(broker, signal.SIGCONT)


def test_processor_time_of_all_processes_is_that_of_the_kernel() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    with Namespaces() as namespaces:
        namespaces.container().listen_tcp(8080)
        with watching(only("*", sampling="interval: 10ms, cpu_budget: 10%")) as daemon:
            supervisor, broker = supervisor_and_broker(daemon)
            assert figure(daemon, "exporter_cpu_budget_ratio") == 0.1
            for process, pid in (("exporter", daemon.pid), ("supervisor", supervisor), ("broker", broker)):
                before = used(pid) / ticks
                published = figure(daemon, "exporter_cpu_seconds_total", process=process)
                after = used(pid) / ticks
                # The broker tells it with each answer, of which there is one a second.
                assert published is not None
                assert before - 0.2 <= published <= after + 2 / ticks


def used(pid: int) -> int:
    """Return the user and system time of a process in clock ticks."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
        columns = file.read().rpartition(")")[2].split()
    return int(columns[11]) + int(columns[12])
