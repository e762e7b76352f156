"""Containers of Docker and Podman by their names, from their start to their end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines import commands, file_tree
from tests.machines.engine import Engine
from tests.machines.page import Listeners, namespaces, until_unplugged, veths

PORT = 8080
FULL_SECONDS = "listen_queue_accept_full_seconds_total"
# Long enough for the container to be up again, and looked at.
RESTART_SECONDS = 20.0
Seen = Callable[[str], None]


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """An engine of root that runs and has the image."""
    engine = Engine(request.param)
    if engine.name == "docker":
        commands.output("systemctl", "start", "docker.service")
    engine.load(file_tree.pack(root, tmp_path_factory.mktemp("image") / "image.tar"))
    return engine


@pytest.mark.timeout(900)
@pytest.mark.parametrize("network", ["bridge", "none"])
def test_a_container_is_shown_by_the_name_that_the_engine_shows(
    engine: Engine, network: str, listeners: Listeners, seen: Seen
) -> None:
    name = f"{engine.name}-{network}"
    container_id = engine.start(name, PORT, "--network", network)
    assert engine.shown_name(container_id) == name
    listeners.until_shown(name, PORT, container=name, container_id=container_id, runtime=engine.name)
    seen(f"{engine.version()}: --network {network}: netns={name}, container={name}, full id")
    engine.command("rm", "--force", name)
    seen(f"rm --force: gone after {listeners.until_gone(name):.1f} s")


@pytest.mark.timeout(900)
def test_a_container_in_the_network_of_the_host_is_named_there(
    engine: Engine, listeners: Listeners, seen: Seen
) -> None:
    name = f"{engine.name}-host"
    container_id = engine.start(name, PORT + 1, "--network", "host")
    listeners.until_shown("host", PORT + 1, container=name, container_id=container_id, runtime=engine.name)
    seen(f"{engine.version()}: --network host: netns=host, container={name}, full id")
    engine.command("rm", "--force", name)


@pytest.mark.timeout(900)
def test_a_container_without_a_name_of_its_own_has_that_which_the_engine_made_up(
    engine: Engine, listeners: Listeners
) -> None:
    made = engine.command("create", "localhost/service", *file_tree.service(PORT)).splitlines()[-1]
    engine.command("start", made)
    name = engine.shown_name(made)
    listeners.until_shown(name, PORT, container=name, container_id=made)
    engine.command("rm", "--force", made)
    listeners.until_gone(name)


@pytest.mark.timeout(900)
def test_a_container_that_dies_takes_its_namespace_along(
    engine: Engine, listeners: Listeners, seen: Seen
) -> None:
    before = veths()
    name = f"{engine.name}-dying"
    engine.start(name, PORT)
    listeners.until_shown(name, PORT)
    assert veths() > before
    os.kill(engine.pid(name), signal.SIGKILL)
    unplugged, gone = until_unplugged(before), listeners.until_gone(name)
    seen(f"{engine.version()}: killed: veth gone after {unplugged:.1f} s, series {gone:.1f} s later")
    assert unplugged + gone < 30
    engine.command("rm", "--force", name)


@pytest.mark.timeout(900)
def test_a_container_that_starts_again_goes_on_with_its_series(
    engine: Engine, listeners: Listeners, seen: Seen
) -> None:
    """Also with what was counted: its service does not accept, until its queue is full."""
    name = f"{engine.name}-restarted"
    engine.start(name, PORT)
    listeners.until_shown(name, PORT)
    os.kill(engine.pid(name), signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        for _ in range(file_tree.BACKLOG + 1):
            stack.enter_context(socket.create_connection((engine.address(name), PORT)))
        before = listeners.until_counted(FULL_SECONDS, netns=name, port=str(PORT))
        engine.command("stop", "--time", "1", name)
    gone = listeners.until_gone(name)
    engine.command("start", name)
    page = listeners.until_shown(name, PORT)
    after = page.value(FULL_SECONDS, netns=name, port=str(PORT))
    seen(
        f"{engine.version()}: stop: gone after {gone:.1f} s; start: {after:.1f} s full, before {before:.1f} s"
    )
    assert after >= before
    # It has no other label for a moment.
    known = namespaces(page)
    engine.command("restart", "--time", "1", name)
    assert listeners.namespaces_during(RESTART_SECONDS) <= known
    engine.command("rm", "--force", name)
    listeners.until_gone(name)
