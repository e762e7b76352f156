"""Listeners that come and go on ephemeral ports, published as one."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from signal import SIGHUP

import pytest

from testbed import flood
from testbed.daemon import Daemon, running
from testbed.page import Page
from testbed.repeated import repeated
from testbed.waiting import equals, until
from tests.integration import command, listening_sockets
from tests.integration.metric_values import figure, until_figure, until_sampled

PER_SECOND = 100
SECONDS = 5
# So long each of them listens, as a server of passive FTP does for one transfer.
LIFE_SECONDS = 0.3
RULE = "{name: transfers, match: {address: 127.0.0.1, port: 20000-65535}, fold: true, export: full}"
CONFIG = f"sampling: {{interval: 10ms, cpu_budget: 100%}}\nrules: [{RULE}]\n"
FOLDED = {"protocol": "tcp", "address": "127.0.0.1", "port": "*"}
EXPORTER_PORT = "10511"
LENGTH = "listen_queue_accept_length"
COUNTERS = ("accept_full_seconds_total", "drops_total", "accept_sampled_utilization_ratio_count")


@contextmanager
def transfers() -> Iterator[list[int]]:
    """Open a listener a hundredth of a second, and close each a moment later. Yields how many there were."""
    opened: list[int] = []
    alive: list[tuple[float, socket.socket]] = []
    began = time.monotonic()

    def begin_another() -> None:
        now = time.monotonic()
        alive.append((now, listening_sockets.tcp("127.0.0.1", 0, backlog=3)))
        opened.append(alive[-1][1].getsockname()[1])
        while now - alive[0][0] > LIFE_SECONDS:
            alive.pop(0)[1].close()
        time.sleep(max(0.0, began + len(opened) / PER_SECOND - time.monotonic()))

    try:
        with repeated(begin_another):
            yield opened
    finally:
        for _, listener in alive:
            listener.close()


def places(page: Page) -> set[tuple[str, str]]:
    """Port and process of every TCP listener on the page but the exporter's own."""
    found = [dict(labels) for labels in page.all(LENGTH, protocol="tcp", address="127.0.0.1")]
    return {(labels["port"], labels["process"]) for labels in found if labels["port"] != EXPORTER_PORT}


def owner_is_known(found: set[tuple[str, str]]) -> bool:
    """Whether there is one listener on the page, with its process."""
    return len(found) == 1 and all(process for _, process in found)


def counters(daemon: Daemon) -> dict[str, float]:
    """The counters of the folded listener."""
    page = daemon.metrics()
    found = {name: page.value(f"listen_queue_{name}", **FOLDED) for name in COUNTERS}
    assert None not in found.values()
    return {name: value or 0.0 for name, value in found.items()}


@pytest.mark.netns
def test_listeners_that_come_and_go_are_one_set_of_series() -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(running(config=CONFIG))
        # Stays for as long as the test takes, so that there is always a socket.
        full = stack.enter_context(listening_sockets.tcp("127.0.0.1", 0, backlog=0))
        ((_, process),) = until(lambda: places(daemon.metrics()), owner_is_known)
        opened = stack.enter_context(transfers())
        # Most of those that there are at a moment, though no search for owners keeps up with them.
        until(
            lambda: figure(daemon, "sockets", **FOLDED) or 0,
            lambda most: most > PER_SECOND * LIFE_SECONDS / 3,
        )
        seen: list[dict[str, float]] = []
        while len(opened) < SECONDS * PER_SECOND:
            assert places(daemon.metrics()) == {("*", process)}
            seen.append(counters(daemon))
        for before, after in pairwise(seen):
            assert all(after[name] >= before[name] for name in COUNTERS)
        assert seen[-1]["accept_full_seconds_total"] == seen[-1]["drops_total"] == 0
        # One observation for each sample, however many listeners there were.
        until_sampled(daemon, "inet", 20)
        samples = figure(daemon, "exporter_samples_total", source="inet") or 0
        assert seen[-1]["accept_sampled_utilization_ratio_count"] <= samples

        # What any of them drops, and the time in which any of them is full.
        stack.enter_context(listening_sockets.clients(full, 1)[0])
        refused = [listening_sockets.refused_client(full) for _ in range(2)]
        until(lambda: counters(daemon)["drops_total"], lambda drops: drops >= 2)
        until(lambda: counters(daemon)["accept_full_seconds_total"], lambda seconds: seconds > 0.5)
        for client in refused:
            client.close()
        until_sampled(daemon, "inet")
        before_close = counters(daemon)
        full.close()
        until_sampled(daemon, "inet", 10)
        after_close = counters(daemon)
        assert all(after_close[name] >= before_close[name] for name in COUNTERS)
        assert places(daemon.metrics()) == {("*", process)}


@pytest.mark.netns
def test_half_open_connections_and_waits_are_found_by_the_real_ports() -> None:
    config = CONFIG.replace("address: 127.0.0.1, ", "")
    address = listening_sockets.TUN_IPV4
    labels = {"address": address, "port": "*"}
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        first, second = (stack.enter_context(listening_sockets.tcp(address, 0, backlog=50)) for _ in range(2))
        daemon = stack.enter_context(running(config=config))
        until_figure(daemon, 2, "sockets", **labels)
        for listener, count in ((first, 4), (second, 3)):
            flood.syn_flood(tun, address, listener.getsockname()[1], count)
        until_figure(daemon, 7, "syn_recv", **labels)
        assert figure(daemon, "syn_recv_limit", **labels) == 2 * 51
        assert figure(daemon, "syn_recv_unmatched", netns="host") == 0
        stack.enter_context(listening_sockets.clients(second, 1)[0])
        until(lambda: figure(daemon, "accept_oldest_wait_seconds", **labels) or 0, lambda wait: wait > 0.5)


@pytest.mark.netns
def test_a_reload_folds_and_unfolds() -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(running(config=CONFIG.replace("fold: true", "fold: false")))
        listeners = [stack.enter_context(listening_sockets.tcp("127.0.0.1", 0, backlog=9)) for _ in range(3)]
        single = {str(listener.getsockname()[1]) for listener in listeners}
        for config, ports in ((CONFIG, {"*"}), (CONFIG.replace("true", "false"), single), (CONFIG, {"*"})):
            daemon.config_file.write_text(config)
            daemon.signal(SIGHUP)
            until(lambda: {port for port, _ in places(daemon.metrics())}, equals(ports))


@pytest.mark.netns
def test_show_prints_them_as_one(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    with ExitStack() as stack:
        for backlog in (3, 5):
            stack.enter_context(listening_sockets.tcp("127.0.0.1", 0, backlog=backlog))
        ended = command.run("show", "--json", f"--config.file={file}")
        assert ended.status == 0
        (row,) = (row for row in json.loads(ended.output) if row["address"] == "127.0.0.1")
        assert (row["port"], row["sockets"], row["accept_limit"]) == ("*", 2, 8)
        table = command.run("show", f"--config.file={file}")
        assert [line.split()[0] for line in table.output.splitlines()[1:]] == ["127.0.0.1:*"]
