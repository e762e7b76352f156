"""In the patterns of rules `*` and `?` are wildcards, and nothing else is."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER
from tests.integration.service import Service

RULES = """\
rules:
  - name: exact
    match: {address: "*/app[1].sock"}
  - name: wildcard
    match: {address: "*/[old] *.sock"}
  - name: process
    match: {process: "[?]*"}
  - name: number
    match: {address: "*/?080"}
  - name: line
    match: {address: "@a????b"}
"""
RULE_OF = {
    "app[1].sock": "exact",
    "app1.sock": "defaults",
    "[old] x.sock": "wildcard",
    "d x.sock": "defaults",
    "8080": "number",
    r"@a\x0ab": "line",
    "@of [a] process": "process",
    "@of a process": "defaults",
}


def listen(name: str) -> list[socket.socket]:
    """Listen on one abstract name."""
    return [listening_sockets.unix(name)]


def rule_of(daemon: Daemon) -> dict[str, str]:
    """The rule of each unix listener on the page, by its name."""
    found = daemon.metrics().all("listen_queue_listener_info", protocol="unix")
    return {Path(dict(labels)["address"]).name: dict(labels)["rule"] for labels in found}


@pytest.mark.netns
def test_brackets_stand_for_themselves(tmp_path: Path) -> None:
    """Also a line break in a name, of which the label has four characters."""
    os.chdir(tmp_path)
    with ExitStack() as stack:
        for name in ("app[1].sock", "app1.sock", "[old] x.sock", "d x.sock", "8080", "\0a\nb"):
            stack.enter_context(listening_sockets.unix(name))
        for process in ("[a] process", "a process"):
            stack.enter_context(Service(process.encode(), partial(listen, f"\0of {process}")))
        daemon = stack.enter_context(running(config=EAGER + RULES))
        until(lambda: rule_of(daemon), equals(RULE_OF))
