"""An interval that the budget had stretched, and that becomes short again."""

from __future__ import annotations

import time
from contextlib import ExitStack
from signal import SIGHUP

import pytest

from testbed import figures
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.page import Page
from testbed.waiting import until
from tests.integration.other_namespaces import watching

COUNT = 30
LENGTH = "listen_queue_accept_length"


def config(cpu_budget: str) -> str:
    return f"sampling: {{cpu_budget: {cpu_budget}}}\nnamespaces: {{include: ['shrink-*']}}\n"


def shown(page: Page) -> int:
    """How many listeners of the other namespaces are on a page."""
    return len(page.all(LENGTH, port="7070"))


def longest(page: Page) -> float:
    """The longest interval between two samples of a namespace."""
    return max(page.all("listen_queue_exporter_namespace_sample_interval_seconds").values())


def watch(daemon: Daemon, seconds: float) -> None:
    """Fail where a page lacks a listener, or a source of them is at 0 without an error."""
    until_end = time.monotonic() + seconds
    while time.monotonic() < until_end:
        page = daemon.metrics()
        assert shown(page) == COUNT
        assert set(page.all("listen_queue_exporter_source_success", source="inet").values()) == {1.0}
        time.sleep(0.1)


@pytest.mark.netns
@pytest.mark.fault(
    "a budget that stretches the interval of 30 namespaces to seconds, is raised, and is lowered again",
    "each of their listeners is on every page",
)
def test_an_interval_that_shrinks() -> None:
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        for number in range(COUNT):
            namespaces.named(f"shrink-{number}").listen_tcp(7070)
        daemon = stack.enter_context(watching(config("0.1%")))
        stretched = longest(until(daemon.metrics, lambda page: shown(page) == COUNT and longest(page) >= 1))
        for cpu_budget in ("100%", "0.1%", "100%"):
            daemon.config_file.write_text(config(cpu_budget))
            daemon.signal(SIGHUP)
            watch(daemon, 6.0)
        figures.note(f"from {stretched:g} s to {longest(daemon.metrics()):g} s")
