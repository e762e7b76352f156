"""Containers of Podman that a user runs without root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines import commands, file_tree
from tests.machines.engine import Engine
from tests.machines.page import Listeners

USER = "alice"
PORT = 8120
Seen = Callable[[str], None]


@pytest.fixture(scope="module")
def engine(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Podman of a user whose services run as after a login."""
    commands.output("useradd", "--create-home", "--add-subids-for-system", USER)
    commands.output("systemctl", "start", "systemd-logind.service")
    commands.output("loginctl", "enable-linger", USER)
    user = pwd.getpwnam(USER)
    commands.output("systemctl", "start", f"user@{user.pw_uid}.service")
    runtime = f"/run/user/{user.pw_uid}"
    variables = (
        f"HOME={user.pw_dir}",
        f"XDG_RUNTIME_DIR={runtime}",
        f"DBUS_SESSION_BUS_ADDRESS=unix:path={runtime}/bus",
    )
    engine = Engine("podman", ("runuser", "-u", USER, "--", "env", f"--chdir={user.pw_dir}", *variables))
    archive = Path(user.pw_dir, "image.tar")
    shutil.copy(file_tree.pack(root, tmp_path_factory.mktemp("image") / "image.tar"), archive)
    os.chown(archive, user.pw_uid, user.pw_gid)
    engine.load(archive)
    return engine


@pytest.mark.timeout(900)
@pytest.mark.parametrize("network", ["pasta", "none"])
def test_a_container_is_shown_by_its_name_until_it_dies(
    engine: Engine, network: str, listeners: Listeners, seen: Seen
) -> None:
    name = f"rootless-{network}"
    container_id = engine.start(name, PORT, "--network", network)
    assert engine.shown_name(container_id) == name
    listeners.until_shown(name, PORT, container=name, container_id=container_id, runtime="podman")
    seen(f"{engine.version()}: --network {network}: netns={name}, container={name}, full id")
    os.kill(engine.pid(name), signal.SIGKILL)
    seen(f"killed: gone after {listeners.until_gone(name):.1f} s")
    engine.command("start", name)
    listeners.until_shown(name, PORT, container=name, container_id=container_id)
    engine.command("rm", "--force", "--time", "1", name)
    listeners.until_gone(name)


@pytest.mark.timeout(900)
def test_a_container_in_the_network_of_the_host_is_named_there(
    engine: Engine, listeners: Listeners, seen: Seen
) -> None:
    name = "rootless-host"
    container_id = engine.start(name, PORT + 1, "--network", "host")
    listeners.until_shown("host", PORT + 1, container=name, container_id=container_id, runtime="podman")
    seen(f"{engine.version()}: --network host: netns=host, container={name}, full id")
    engine.command("rm", "--force", "--time", "1", name)
