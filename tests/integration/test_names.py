"""Names of any bytes: the page stays a page, and each listener can be found by its name."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import privileges, programs
from testbed.daemon import Daemon, running
from testbed.page import metrics
from testbed.waiting import equals, until
from tests.integration import hostile_names, listening_sockets
from tests.integration.metric_values import EAGER
from tests.integration.service import Service

LENGTH = "listen_queue_accept_length"
ROOT = Path(__file__).resolve().parents[2]
FORMATS = {
    "text": ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
    "openmetrics": (
        "application/openmetrics-text;version=1.0.0",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    ),
}


def with_hostile_names(stack: ExitStack) -> Daemon:
    """A daemon, and a process with a hostile name that listens under every hostile name."""
    every = list(hostile_names.ABSTRACT)
    stack.enter_context(
        Service(hostile_names.PROCESS, lambda: [listening_sockets.unix(b"\0" + name) for name in every])
    )
    return stack.enter_context(running(config=EAGER))


def addresses(text: str) -> set[str]:
    """The addresses of the unix listeners on a page that belong to the process with the hostile name."""
    found = metrics(text).all(LENGTH, protocol="unix", process=hostile_names.PROCESS_LABEL)
    return {dict(labels)["address"] for labels in found}


@pytest.mark.netns
@pytest.mark.parametrize("wanted", FORMATS)
def test_the_page_parses_and_names_every_listener_by_its_bytes(wanted: str) -> None:
    accept, content_type = FORMATS[wanted]
    with ExitStack() as stack:
        daemon = with_hostile_names(stack)
        until(lambda: addresses(daemon.scrape(accept)), equals(set(hostile_names.ABSTRACT.values())))
        answer = daemon.request("/metrics", headers={"Accept": accept})
        assert answer.headers["Content-Type"] == content_type
        assert answer.text.endswith("# EOF\n") == (wanted == "openmetrics")


@pytest.mark.netns
def test_promtool_finds_no_fault_in_the_page() -> None:
    with ExitStack() as stack:
        promtool = programs.find("promtool")
        daemon = with_hostile_names(stack)
        until(lambda: addresses(daemon.scrape()), equals(set(hostile_names.ABSTRACT.values())))
        done = subprocess.run(
            [promtool, "check", "metrics"],
            input=daemon.scrape(),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.netns
def test_show_prints_every_name_on_a_line_of_its_own_and_in_json() -> None:
    with ExitStack() as stack:
        every = list(hostile_names.ABSTRACT)
        stack.enter_context(
            Service(hostile_names.PROCESS, lambda: [listening_sockets.unix(b"\0" + name) for name in every])
        )
        command = [sys.executable, "-m", "exporter", "show"]
        table, rows = (
            subprocess.run(
                [*command, *flags],
                cwd=ROOT,
                capture_output=True,
                check=True,
                timeout=30,
                preexec_fn=privileges.deny_other_namespaces,  # tests have one thread
            ).stdout
            for flags in ([], ["--json"])
        )
        lines = table.decode().splitlines()
        assert len(lines) == 1 + len(every)
        assert all(line.isprintable() for line in lines)
        listed = {row["address"]: row["process"] for row in json.loads(rows)}
        assert listed == dict.fromkeys(hostile_names.ABSTRACT.values(), hostile_names.PROCESS_LABEL)
