"""The shipped image and the compose files, run by a real Docker, with the Prometheus that they start."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.prometheus_api import PrometheusApi
from testbed.waiting import equals, until
from tests.deploy.compose.files import BASE, CONTAINERS, FOLDER
from tests.machines import commands, file_tree
from tests.machines.engine import Engine

PORT = 8130
SERVICES = ("exporter", "prometheus")

pytestmark = pytest.mark.timeout(1500)


class Compose(PrometheusApi):
    """The exporter and Prometheus of some compose files, while `docker compose up` runs."""

    port = 9090

    def __init__(self, docker: Engine, folder: Path, *files: str) -> None:
        self._docker = docker
        self._options = [f"--file={FOLDER / name}" for name in files]
        command = ("docker", "compose", *self._options, "up", "--no-build", "--pull=never", *SERVICES)
        super().__init__(command, folder / "compose.log")

    def users(self, service: str) -> set[int]:
        """The numbers of the users that the processes of a service have."""
        container = self._docker.command("compose", *self._options, "ps", "--quiet", service)
        listing = self._docker.command("top", container, "-eo", "pid,uid").splitlines()[1:]
        return {int(line.split()[1]) for line in listing}

    def down(self) -> None:
        """Remove the containers and what Prometheus has stored."""
        self._docker.command("compose", *self._options, "down", "--volumes")


@pytest.fixture(scope="module")
def docker(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Docker, with the images of the compose file and that of a service."""
    commands.output("systemctl", "start", "docker.service")
    for archive in Path(os.environ["FILES"]).iterdir():
        commands.output("docker", "load", "--input", str(archive))
    engine = Engine("docker")
    engine.load(file_tree.pack(root, tmp_path_factory.mktemp("image") / "root.tar"))
    return engine


@pytest.fixture
def compose(docker: Engine, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Compose]:
    """The services of the files that the test names."""
    with Compose(docker, tmp_path, *request.param) as started:
        yield started
        started.down()


@pytest.mark.parametrize("compose", [(BASE,)], indirect=True)
def test_prometheus_scrapes_the_exporter_beside_it(
    compose: Compose, docker: Engine, seen: Callable[[str], None]
) -> None:
    until(lambda: compose.value('up{job="listen-queue"}'), equals(1))
    until(lambda: compose.query('listen_queue_accept_limit{netns="host", port="9090"}'), bool)
    until(lambda: {rule["health"] for rule in compose.rules()}, equals({"ok"}))
    assert compose.users("exporter") == {65534}
    versions = f"{docker.version()}, {docker.command('compose', 'version')}"
    seen(f"{versions}: {BASE}: scraped by Prometheus in a container, every rule evaluated")


@pytest.mark.parametrize("compose", [(BASE, CONTAINERS)], indirect=True)
def test_with_the_containers_file_it_names_a_container_and_who_listens_there(
    compose: Compose, docker: Engine, seen: Callable[[str], None]
) -> None:
    container_id = docker.start("compose-shop", PORT)
    labels = f'netns="compose-shop", port="{PORT}", process="httpd"'
    info = f'listen_queue_listener_info{{{labels}, container="compose-shop", container_id="{container_id}"}}'
    until(lambda: compose.query(info), bool)
    assert compose.value(f"listen_queue_accept_limit{{{labels}}}") == file_tree.BACKLOG
    assert 0 not in compose.users("exporter")
    seen(f"{BASE}, {CONTAINERS}: a container by its name, its httpd with a limit of {file_tree.BACKLOG}")
    docker.command("rm", "--force", "compose-shop")
    until(lambda: compose.query(f"listen_queue_accept_limit{{{labels}}}"), equals({}))
