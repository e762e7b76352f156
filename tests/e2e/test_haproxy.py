"""The unix listener of HAProxy, which binds another name and renames it, also when it is reloaded."""

from __future__ import annotations

from pathlib import Path
from signal import SIGUSR2

import pytest

from testbed import programs
from testbed.daemon import running
from testbed.program import Program
from tests.integration.metric_values import EAGER
from tests.integration.named_listeners import until_named

CONFIG = """\
global
    nbthread 2

defaults
    mode http
    timeout client 60s
    timeout connect 60s
    timeout server 60s

frontend web
    bind unix@{folder}/x.sock
    bind 127.0.0.1:8404
    http-request return status 200
"""


def workers(program: Program) -> set[int]:
    """The processes that a master has started."""
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    return set(map(int, children.read_text().split()))


@pytest.mark.netns
def test_the_address_is_where_clients_connect_and_stays_the_same(folder: Path) -> None:
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(folder=folder))
    wanted = {(f"{folder}/x.sock", "haproxy"): 1, ("127.0.0.1:8404", "haproxy"): 1}
    command = [programs.find("haproxy"), "-W", "-db", "-f", str(config)]
    with running(config=EAGER) as before, Program(command, folder / "haproxy.log") as haproxy:
        until_named(before, wanted)
        old = workers(haproxy)
        haproxy.signal(SIGUSR2)
        haproxy.wait_until(lambda: bool(workers(haproxy)) and not workers(haproxy) & old)
        until_named(before, wanted)


@pytest.mark.netns
def test_a_process_that_takes_over_binds_the_address_again(folder: Path) -> None:
    """Its socket is another one, under the same name."""
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(folder=folder))
    wanted = {(f"{folder}/x.sock", "haproxy"): 1, ("127.0.0.1:8404", "haproxy"): 1}
    command = [programs.find("haproxy"), "-db", "-f", str(config)]
    with running(config=EAGER) as before, Program(command, folder / "first.log") as first:
        until_named(before, wanted)
        with Program([*command, "-sf", str(first.pid)], folder / "second.log"):
            assert first.wait() == 0
            until_named(before, wanted)
