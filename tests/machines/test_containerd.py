"""Containers of containerd that its own command starts: their ids are names."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines import commands, file_tree
from tests.machines.page import Listeners

PORT = 8090
IMAGE = "localhost/service:latest"


@pytest.fixture(scope="module")
def image(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that containerd knows, made by Podman."""
    folder = tmp_path_factory.mktemp("image")
    archive = file_tree.pack(root, folder / "root.tar")
    commands.output("podman", "import", str(archive), IMAGE)
    commands.output("podman", "save", "--output", str(folder / "image.tar"), IMAGE)
    commands.output("systemctl", "start", "containerd.service")
    for namespace in ("default", "shop"):
        commands.output("ctr", "--namespace", namespace, "image", "import", str(folder / "image.tar"))
    return IMAGE


def ctr(namespace: str, *arguments: str) -> str:
    """What containerd's command prints."""
    return commands.output("ctr", "--namespace", namespace, *arguments)


def pid(namespace: str, name: str) -> int:
    """The first process of a container."""
    lines = ctr(namespace, "task", "list").splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == name)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("namespace", ["default", "shop"])
def test_a_container_has_its_id_as_its_name_until_it_dies(
    namespace: str, image: str, listeners: Listeners, seen: Callable[[str], None]
) -> None:
    name = f"ctr-{namespace}"
    ctr(namespace, "run", "--detach", image, name, *file_tree.service(PORT))
    listeners.until_shown(name, PORT, container=name, runtime="containerd")
    seen(f"{commands.output('ctr', '--version')}: namespace {namespace}: netns={name}, container={name}")
    os.kill(pid(namespace, name), signal.SIGKILL)
    seen(f"killed: gone after {listeners.until_gone(name):.1f} s")
    ctr(namespace, "task", "delete", name)
    ctr(namespace, "task", "start", "--detach", name)
    listeners.until_shown(name, PORT, container=name)
    ctr(namespace, "task", "kill", "--signal", "SIGKILL", name)
    listeners.until_gone(name)


@pytest.mark.timeout(900)
def test_a_container_in_the_network_of_the_host_is_named_there(
    image: str, listeners: Listeners, seen: Callable[[str], None]
) -> None:
    ctr("default", "run", "--detach", "--net-host", image, "ctr-host", *file_tree.service(PORT + 1))
    listeners.until_shown("host", PORT + 1, container="ctr-host", runtime="containerd")
    seen("--net-host: netns=host, container=ctr-host")
    ctr("default", "task", "kill", "--signal", "SIGKILL", "ctr-host")
