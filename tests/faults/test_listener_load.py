"""Thousands of listeners, and thousands that come and go: what is published is never older than it may be."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from testbed import figures
from testbed.daemon import Daemon, running
from testbed.page import Page, metrics
from testbed.waiting import MEASURED_BY, until
from tests.faults.tenant import Tenant, may_open
from tests.integration import listening_sockets
from tests.integration.metric_values import figure

# Each dump walks the listeners of all namespaces, so one such test at a time.
pytestmark = [pytest.mark.netns, pytest.mark.xdist_group("listener load")]

LENGTH = "listen_queue_accept_length"
INTERVAL = "listen_queue_exporter_sample_interval_seconds"
SHORTEST = 0.05
MAX_SECONDS = 5.0
RECOVERY_SECONDS = 10.0
CHURNING = "127.0.0.9"
# What a sample costs, and how often it is taken, depends on what else the machine does: with this budget the
# shortest interval comes back all the same once the load is over.
CONFIG = "sampling: {cpu_budget: 10%}\n"
WATCHED = "8080"


def open_listeners(count: int) -> list[socket.socket]:
    """Listen on so many ports, of several addresses."""
    may_open(count + 100)
    kept = []
    for number in range(count):
        kept.append(socket.socket())
        kept[-1].bind((f"127.0.1.{1 + number // 5000}", 2000 + number % 5000))
        kept[-1].listen(16)
    return kept


def churn(alive: int, ports: Callable[[], int], max_each_second: float) -> None:
    """Open listeners, and close one at random for each beyond `alive`, until the process is killed."""
    may_open(alive + 100)
    kept: list[socket.socket] = []
    chosen = random.Random(2)  # noqa: S311  (the same ones each time)
    while True:
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind((CHURNING, ports()))
        opened.listen(5)
        kept.append(opened)
        if len(kept) > alive:
            position = chosen.randrange(len(kept))
            kept[position], kept[-1] = kept[-1], kept[position]
            kept.pop().close()
        if chosen.random() < 0.2:
            time.sleep(1 / max_each_second / 5)


def start_churn(alive: int, ports: Callable[[], int], max_each_second: float = 10_000) -> int:
    """Start a process that does it, and return its PID."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            if os.getppid() == parent:
                churn(alive, ports, max_each_second)
        finally:
            os._exit(1)
    return pid


def intervals(page: Page) -> dict[str, float]:
    """The interval in force of each source of listeners."""
    return {dict(labels)["source"]: value for labels, value in page.all(INTERVAL).items()}


def check_age(daemon: Daemon) -> Page:
    """Return a page; fails where it has figures of listeners that were older than they may be."""
    asked, page = time.time(), None
    while page is None:
        # Other tests may have the processor longer than a page may take.
        asked = time.time()
        answer = daemon.request("/metrics")
        assert answer.status in {200, 503}, answer.text
        page = metrics(answer.text) if answer.status == 200 else None
    assert max(intervals(page).values()) <= MAX_SECONDS, intervals(page)
    success = page.all("listen_queue_exporter_source_success", source="inet", netns="host")
    if set(success.values()) == {1.0}:
        sampled = page.value("listen_queue_exporter_last_sample_timestamp_seconds", source="inet")
        assert asked - sampled <= MAX_SECONDS, f"{asked - sampled:.1f} s old"
    else:
        assert not page.all(LENGTH, protocol="tcp")
    return page


def machine_slowdown() -> float:
    """How many times longer something takes because of what else the machine does; 1 where it is idle."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < 0.1:
        pass
    slowdown = max(1.0, (time.monotonic() - began) / (time.process_time() - used))
    # To measure coverage takes more than the exporter itself, and its budget is the same.
    return slowdown * 8 if MEASURED_BY in os.environ else slowdown


def at_full_rate(page: Page) -> bool:
    """Whether accept queues are sampled as often as configured, and nothing of the load is left."""
    found = intervals(page)
    return found["inet"] == found["unix"] == SHORTEST and not page.all(LENGTH, address=CHURNING)


@pytest.mark.fault(
    "10,000 listeners of which thousands are replaced each second, for 30 s; then a queue that is full",
    "no interval above 5 s, no figure older; the full queue shows in 5 s, and in 10 s the rate is as before",
)
def test_a_burst_of_new_listeners() -> None:
    with ExitStack() as stack:
        watched = stack.enter_context(listening_sockets.tcp("127.0.0.1", int(WATCHED), backlog=4))
        daemon = stack.enter_context(running(config=CONFIG))
        until(daemon.metrics, at_full_rate)
        churning = start_churn(may_open(10_100) - 100, lambda: 0)
        try:
            longest = 0.0
            until_end = time.monotonic() + 30.0
            while time.monotonic() < until_end:
                longest = max(longest, *intervals(check_age(daemon)).values())
                time.sleep(0.5)
        finally:
            os.kill(churning, 9)
            os.waitpid(churning, 0)
        ended = time.monotonic()
        slowdown = machine_slowdown()
        stack.enter_context(listening_sockets.clients(watched, 5)[0])
        until(lambda: check_age(daemon), _shows_full)
        seen = time.monotonic() - ended
        until(lambda: check_age(daemon), at_full_rate)
        recovered = time.monotonic() - ended
        figures.note(
            f"longest interval {longest:g} s, full queue after {seen:.1f} s, "
            f"full rate after {recovered:.1f} s"
        )
        # A sample of 10,000 new listeners takes a second of processor time.
        assert seen <= (MAX_SECONDS + 1.0) * slowdown
        assert recovered <= RECOVERY_SECONDS * slowdown


def _shows_full(page: Page) -> bool:
    found = page.all("listen_queue_accept_utilization_ratio", port=WATCHED)
    return bool(found) and min(found.values()) >= 1


@pytest.mark.fault(
    "15,000 listeners on one host",
    "max_listeners are on the page, the others are counted, and every figure is younger than 5 s",
)
def test_many_listeners() -> None:
    count = may_open(15_100) - 100
    with ExitStack() as stack:
        stack.enter_context(Tenant(lambda: open_listeners(count)))
        watched = stack.enter_context(listening_sockets.tcp("127.0.0.1", int(WATCHED), backlog=4))
        began = time.monotonic()
        daemon = stack.enter_context(running())
        first = until(
            lambda: check_age(daemon), lambda page: page.value("listen_queue_exporter_listeners") == 2000
        )
        figures.note(f"first page {time.monotonic() - began:.1f} s after the start")
        assert first.value("listen_queue_exporter_listeners_omitted") == count + 2 - 2000
        # A user with so many leaves out none of another's.
        assert first.all(LENGTH, port=WATCHED)
        assert first.all(LENGTH, port="10511")
        stack.enter_context(listening_sockets.clients(watched, 5)[0])
        until(lambda: check_age(daemon), _shows_full)
        asked = time.monotonic()
        check_age(daemon)
        figures.note(f"a page in {time.monotonic() - asked:.2f} s")


@pytest.mark.fault(
    "listeners that open and close on one port, thousands a second",
    "what listens there all the time stays on the page",
)
def test_churn_on_one_port() -> None:
    with ExitStack() as stack:
        stays = [
            stack.enter_context(listening_sockets.tcp(CHURNING, 9000, backlog=77, reuse_port=True))
            for _ in range(20)
        ]
        stack.enter_context(listening_sockets.tcp("127.0.0.1", int(WATCHED), backlog=4))
        daemon = stack.enter_context(running(config=CONFIG))
        until(lambda: figure(daemon, "sockets", address=CHURNING), lambda found: found == len(stays))
        churning = start_churn(50, lambda: 9000)
        try:
            until_end = time.monotonic() + 10.0
            while time.monotonic() < until_end:
                page = check_age(daemon)
                assert page.value("listen_queue_sockets", address=CHURNING, port="9000") >= len(stays)
                assert page.all(LENGTH, port=WATCHED)
                time.sleep(0.1)
        finally:
            os.kill(churning, 9)
            os.waitpid(churning, 0)
        until(lambda: figure(daemon, "sockets", address=CHURNING), lambda found: found == len(stays))
        until(lambda: check_age(daemon), lambda page: intervals(page)["inet"] == SHORTEST)


@pytest.mark.fault(
    "20,000 listeners on ephemeral ports, of which 100 live at a time, with a rule that folds them",
    "one listener in their place, and memory that stays as it is",
)
def test_ephemeral_listeners() -> None:
    config = f"rules: [{{name: data, match: {{address: {CHURNING}}}, fold: true}}]\n"
    with ExitStack() as stack:
        daemon = stack.enter_context(running(config=config))
        churning = start_churn(100, lambda: 0, max_each_second=2000)
        try:
            folded = until(daemon.metrics, lambda page: bool(page.all(LENGTH, address=CHURNING)))
            assert {dict(labels)["port"] for labels in folded.all(LENGTH, address=CHURNING)} == {"*"}
            before = folded.value("process_resident_memory_bytes")
            page = folded
            until_end = time.monotonic() + 12.0
            while time.monotonic() < until_end:
                page = check_age(daemon)
                # One more where many are gone before their owner is found.
                assert 1 <= len(page.all(LENGTH, address=CHURNING)) <= 2
                time.sleep(0.5)
            grown = (page.value("process_resident_memory_bytes") - before) / 2**20
            figures.note(f"{grown:.1f} MiB more")
            assert grown < 20
        finally:
            os.kill(churning, 9)
            os.waitpid(churning, 0)
        until(daemon.metrics, lambda page: not page.all(LENGTH, address=CHURNING))
