"""Node.js: named by its script, whatever its main thread is called; with its cluster module one listener."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed import programs
from testbed.daemon import running
from testbed.program import Program
from tests.integration.metric_values import EAGER
from tests.integration.named_listeners import until_named, write_script

SECRET = "s3cret"  # noqa: S105  (it is none)
SERVER = """\
const {name} = process.env;
if (name) require('fs').writeFileSync('/proc/self/comm', name);
require('net').createServer().listen(8080, '127.0.0.1');
"""
CLUSTER = """\
const cluster = require('cluster');
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else require('http').createServer().listen(8080, '127.0.0.1');
"""


@pytest.mark.netns
@pytest.mark.parametrize("name", ["", "MainThread", "node-MainThread"])
@pytest.mark.parametrize("way", ["node", "script"])
def test_the_script_is_the_name(folder: Path, name: str, way: str) -> None:
    """Newer versions of Node.js give their main threads one of these names."""
    node = programs.find("node")
    script = write_script(folder / "server.js", node, SERVER)
    command = [node, "--no-warnings", script] if way == "node" else [script]
    with (
        running(config=EAGER) as before,
        Program([*command, f"--token={SECRET}"], folder / "log", env=os.environ | {"name": name}),
    ):
        until_named(before, {("127.0.0.1:8080", "server.js"): 1})
        assert SECRET not in before.scrape()


@pytest.mark.netns
@pytest.mark.parametrize("policy", ["rr", "none"])
def test_workers_of_a_cluster_are_one_listener(folder: Path, policy: str) -> None:
    """Their primary accepts for them (`rr`), or they accept from the socket that they share with it."""
    node = programs.find("node")
    script = write_script(folder / "cluster.js", node, CLUSTER)
    environment = os.environ | {"NODE_CLUSTER_SCHED_POLICY": policy}
    with running(config=EAGER) as before, Program([node, script], folder / "log", env=environment):
        until_named(before, {("127.0.0.1:8080", "cluster.js"): 1})


@pytest.mark.netns
def test_a_title_is_the_name(folder: Path) -> None:
    """Of one that is cut by the kernel its first word."""
    node = programs.find("node")
    for title, name in (("shop", "shop"), ("shop-server (v14.0.1)", "shop-server")):
        script = write_script(folder / "server.js", node, f"process.title = '{title}';\n{SERVER}")
        with running(config=EAGER) as before, Program([node, script], folder / "log"):
            until_named(before, {("127.0.0.1:8080", name): 1})
