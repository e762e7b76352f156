"""Many namespaces at once: the page and `show` have every listener of each, as `ss` sees it there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed import syscalls
from testbed.daemon import Daemon
from testbed.netns import Container, Namespaces
from testbed.page import Page
from testbed.waiting import equals, until
from tests.integration import reference
from tests.integration.metric_values import until_figure
from tests.integration.other_namespaces import descriptors, only, samples, supervisor_and_broker, watching
from tests.integration.reference import Endpoint, Figures

ROOT = Path(__file__).resolve().parents[2]
FAST = "interval: 10ms, cpu_budget: 50%"
PORTS = range(8000, 8010)


def busy(namespaces: Namespaces, count: int) -> list[Container]:
    """Containers with 10 TCP listeners and a unix one each, of which some have clients that wait."""
    made = [namespaces.container(process=f"box-{number}") for number in range(count)]
    for number, each in enumerate(made):
        each.listen_tcp(*PORTS, backlog=number)
        each.listen_unix("queue", backlog=5)
        each.fill_tcp(PORTS[number % len(PORTS)], number % 4)
        each.fill_unix("queue", number % 3)
    return made


def numbers(made: list[Container]) -> list[str]:
    """The names that the exporter gives them."""
    return [str(each.inode) for each in made]


def on_page(page: Page, names: list[str]) -> dict[str, dict[Endpoint, Figures]]:
    """What a page has of each namespace."""
    return {name: reference.of_namespace(page, netns=name) for name in names}


def in_kernel(made: list[Container]) -> dict[str, dict[Endpoint, Figures]]:
    """What `ss` says in each namespace."""
    found = {}
    for each in made:
        with reference.within(each.pid):
            found[str(each.inode)] = reference.from_ss()
    return found


def show(config: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run `show` with every capability there is; fails where it does."""
    command = [sys.executable, "-m", "exporter", "show", *flags, f"--config.file={config}"]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
        preexec_fn=syscalls.die_with_parent,  # a test has one thread
    )


@pytest.mark.netns
def test_every_listener_of_many_namespaces_is_as_ss_sees_it_there() -> None:
    with Namespaces() as namespaces:
        made = busy(namespaces, 15)
        names = numbers(made)
        with watching(only(*names, sampling=FAST)) as daemon:
            wanted = in_kernel(made)
            assert [len(wanted[name]) for name in names] == [11] * 15
            until(lambda: on_page(daemon.metrics(), names), equals(wanted))
            until(lambda: _named(daemon.metrics(), names), equals([11] * 15))
            until_figure(daemon, 15 * 11 + 1, "exporter_listeners")


def _named(page: Page, names: list[str]) -> list[int]:
    """How many listeners of each namespace have the name of its process."""
    return [
        len(page.all("listen_queue_accept_limit", netns=name, process=f"box-{number}"))
        for number, name in enumerate(names)
    ]


@pytest.mark.netns
def test_show_lists_the_listeners_of_all_namespaces_with_their_names(tmp_path: Path) -> None:
    with Namespaces() as namespaces:
        made = busy(namespaces, 15)
        names = numbers(made)
        config = tmp_path / "config.yml"
        config.write_text(only(*names))
        done = show(config, "--json")
        assert done.stderr == ""
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        in_json = {name: reference.of_rows([row for row in rows if row["netns"] == name]) for name in names}
        assert in_json == in_kernel(made)
        assert {(row["netns"], row["process"]) for row in rows} == {
            (name, f"box-{number}") for number, name in enumerate(names)
        }
        lines = [line.split() for line in show(config).stdout.splitlines()[1:]]
        in_table = {(line[1], line[2], line[0]) for line in lines}
        assert in_table == {(row["netns"], row["process"], _location(row)) for row in rows}
        assert len(lines) == len(rows) == 15 * 11


def _location(row: dict[str, Any]) -> str:
    return f"{row['address']}:{row['port']}" if row["port"] else row["address"]


@pytest.mark.netns
def test_of_too_many_listeners_the_full_ones_stay_wherever_they_are() -> None:
    with Namespaces() as namespaces:
        made = [namespaces.container() for _ in range(5)]
        for each in made:
            each.listen_tcp(*PORTS, backlog=1)
        made[-1].fill_tcp(PORTS[-1], 2)
        config = only(*numbers(made), sampling=FAST) + "max_listeners: 10\n"
        with watching(config) as daemon:
            until_figure(daemon, 5 * 10 + 1 - 10, "exporter_listeners_omitted")
            until_figure(daemon, 10, "exporter_listeners")
            until_figure(
                daemon, 1, "accept_utilization_ratio", netns=str(made[-1].inode), port=str(PORTS[-1])
            )
            until(lambda: len(daemon.metrics().all("listen_queue_accept_length")), equals(10))


@pytest.mark.netns
def test_hundreds_of_passes_leave_no_descriptor_open() -> None:
    with Namespaces() as namespaces:
        made = busy(namespaces, 3)
        with watching(only(*numbers(made), sampling="interval: 1ms, cpu_budget: 100%")) as daemon:
            processes = (daemon.pid, *supervisor_and_broker(daemon))
            counts = [[_fewest(pid) for pid in processes]]

            def count_again() -> list[list[int]]:
                _passes(daemon, 100 * 4)
                counts.append([_fewest(pid) for pid in processes])
                return counts[-2:]

            # A file that a source needs for the first time may be opened meanwhile, and then stays open. What
            # is opened in each pass grows from one count to the next.
            until(count_again, lambda last: all(now <= first for first, now in zip(*last, strict=True)))


def _passes(daemon: Daemon, count: int) -> None:
    first = samples(daemon, "inet")
    until(lambda: samples(daemon, "inet"), lambda taken: taken >= first + count)


def _fewest(pid: int) -> int:
    """What stays open between two samples."""
    return min(descriptors(pid) for _ in range(100))
