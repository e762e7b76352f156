"""Where daemons were told to keep their files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.owners.runtimes.daemon import ContainerDaemon
from exporter.owners.runtimes.daemon_roots import find_roots
from exporter.owners.runtimes.documents import DocumentReader
from exporter.owners.runtimes.roots import DEFAULT_ROOTS, Monitor, RuntimeRoots
from exporter.owners.runtimes.scope import EVERY_CONTAINER, scope_of
from tests.owners.fake_host import FakeFiles
from tests.owners.runtime_file_paths import CONTAINER_ID, POD_UID
from tests.owners.runtimes.daemons import USER_MANAGER, conmon_of_podman, daemon, rootless

PASSWD = b"root:x:0:0::/root:/bin/sh\nbroken:x:1000\nweb:x:1000:1000::/home/web:/bin/sh\n"


def roots_of(*daemons: ContainerDaemon, files: dict[str, bytes | OSError] | None = None) -> RuntimeRoots:
    return find_roots(daemons, DocumentReader(FakeFiles({"/etc/passwd": PASSWD, **(files or {})})))


def added(kind: str, *daemons: ContainerDaemon, files: dict[str, bytes | OSError] | None = None) -> list[str]:
    """Return the paths of roots of one kind that are not there by default."""
    roots = getattr(roots_of(*daemons, files=files), kind)
    return [root.path for root in roots if root not in getattr(DEFAULT_ROOTS, kind)]


def test_without_daemons_there_are_the_default_places() -> None:
    assert roots_of() == DEFAULT_ROOTS


@pytest.mark.parametrize(
    "arguments", [("--data-root", "/srv/docker"), ("--data-root=/srv/docker/",), ("-g", "/srv/docker")]
)
def test_data_root_of_docker_in_its_arguments(arguments: tuple[str, ...]) -> None:
    """One in another mount namespace, such as that of a snap, may see another directory there."""
    assert added("docker", daemon("dockerd", *arguments)) == ["/srv/docker", "/proc/100/root/srv/docker"]


@pytest.mark.parametrize("key", ["data-root", "graph"])
@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((), "/etc/docker/daemon.json"),
        (("--config-file", "/var/snap/docker/1/config/daemon.json"), "/var/snap/docker/1/config/daemon.json"),
        (("--config-file=/etc/other.json",), "/proc/100/root/etc/other.json"),
    ],
)
def test_data_root_of_docker_in_its_configuration(key: str, arguments: tuple[str, ...], path: str) -> None:
    files: dict[str, bytes | OSError] = {path: f'{{"{key}": "/srv/docker"}}'.encode()}
    assert added("docker", daemon("dockerd", *arguments), files=files)[0] == "/srv/docker"
    assert added("docker", daemon("dockerd", "-g", "/arguments", *arguments), files=files)[0] == "/arguments"


def test_rootless_docker() -> None:
    docker = rootless("dockerd")
    assert added("docker", docker)[0] == "/home/web/.local/share/docker"
    (root, *_) = (root for root in roots_of(docker).docker if root.path.startswith("/home"))
    assert root.scope == scope_of(docker) != EVERY_CONTAINER
    files: dict[str, bytes | OSError] = {
        "/home/web/.config/docker/daemon.json": b'{"data-root": "/home/web/docker"}'
    }
    assert added("docker", docker, files=files)[0] == "/home/web/docker"


def test_rootless_docker_of_a_user_that_is_not_in_passwd() -> None:
    """dockerd gives the containerd that it starts a root below its own."""
    containerd = rootless("containerd", "--config", "/run/user/1000/docker/containerd/containerd.toml")
    files: dict[str, bytes | OSError] = {
        "/etc/passwd": b"",
        "/run/user/1000/docker/containerd/containerd.toml": (
            b'root = "/net/home/web/.local/share/docker/containerd/daemon"\n'
            b'state = "/run/user/1000/docker/containerd/daemon"\n'
        ),
    }
    assert added("docker", containerd, files=files)[0] == "/net/home/web/.local/share/docker"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--state", "/srv/state"),
        ("-c", "/etc/k3s.toml", "--state", "/srv/state"),
        ("--config", "/srv/config.toml"),
        ("-c", "/srv/config.toml"),
    ],
)
def test_state_of_containerd(arguments: tuple[str, ...]) -> None:
    files: dict[str, bytes | OSError] = {
        "/srv/config.toml": b'version = 2\nroot = "/srv/root"\nstate = "/srv/state"\n[grpc]\nuid = 0\n',
        "/etc/k3s.toml": b'state = "/etc/state"\n',
    }
    found = added("containerd", daemon("containerd", *arguments), files=files)
    assert found == ["/srv/state", "/proc/100/root/srv/state"]


def test_state_of_containerd_in_the_default_configuration() -> None:
    files: dict[str, bytes | OSError] = {"/etc/containerd/config.toml": b'state = "/srv/state"\n'}
    assert added("containerd", daemon("containerd"), files=files)[0] == "/srv/state"


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("/run/k0s/containerd.sock", "/run/k0s/containerd"),
        ("/srv/containerd/containerd.sock", "/srv/containerd"),
    ],
)
def test_state_of_containerd_by_the_arguments_of_a_shim(address: str, state: str) -> None:
    shim = daemon("containerd-shim", "-namespace", "k8s.io", "-id", CONTAINER_ID, "-address", address)
    assert state in added("containerd", shim)


def test_podman() -> None:
    monitor = rootless(
        "conmon",
        *conmon_of_podman("web", "/home/web/.local/share/containers/storage", "/run/user/1000/containers"),
        service="user.slice/libpod-conmon-x.scope",
    )
    assert added("storage", monitor) == [
        "/home/web/.local/share/containers/storage",
        "/run/user/1000/containers",
    ]
    bundle = f"/home/web/.local/share/containers/storage/overlay-containers/{CONTAINER_ID}/userdata"
    assert roots_of(monitor).monitors == {CONTAINER_ID: (Monitor("web", bundle, scope_of(monitor)),)}


@pytest.mark.parametrize("path", ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"])
def test_configuration_of_the_storage(path: str) -> None:
    content = b'[storage]\ndriver = "overlay"\ngraphroot = "/srv/graph"\nrunroot = "/srv/run"\n'
    assert added("storage", files={path: content}) == ["/srv/graph", "/srv/run"]


def test_crio() -> None:
    given = daemon("crio", "--root", "/srv/graph", "--runroot=/srv/run")
    assert added("storage", given) == ["/srv/graph", "/srv/run"]
    files: dict[str, bytes | OSError] = {
        "/etc/crio/crio.conf": b'[crio]\nroot = "/srv/graph"\n',
        "/srv/crio.conf": b'[crio]\nrunroot = "/srv/run"\n',
    }
    assert added("storage", daemon("crio"), files=files) == ["/srv/graph"]
    assert added("storage", daemon("crio", "--config", "/srv/crio.conf"), files=files) == ["/srv/run"]


def test_nerdctl() -> None:
    logger = daemon("nerdctl", "_NERDCTL_INTERNAL_LOGGING", "/srv/nerdctl/1935db59")
    assert added("nerdctl", logger) == ["/srv/nerdctl"]
    assert added("nerdctl", rootless("containerd"))[0] == "/home/web/.local/share/nerdctl"


@pytest.mark.parametrize("path", ["", "/", "srv", "../srv", "/srv/../../etc", "/srv\0x"])
def test_paths_that_lead_nowhere_are_left_out(path: str) -> None:
    daemons = [
        daemon("dockerd", f"--data-root={path}", "--config-file", path or "/none"),
        daemon("containerd-shim", "-address", f"{path}/x.sock"),
        daemon(
            "conmon",
            "-c",
            CONTAINER_ID,
            "-b",
            path,
            "--exit-command-arg=--root",
            f"--exit-command-arg={path}",
        ),
        daemon("nerdctl", "_NERDCTL_INTERNAL_LOGGING", f"{path}"),
    ]
    roots = roots_of(*daemons)
    paths = [root.path for root in (*roots.docker, *roots.storage, *roots.nerdctl, *roots.containerd)]
    assert all(each.startswith("/") and ".." not in each.split("/") and "\0" not in each for each in paths)


def test_files_of_a_daemon_in_a_container_are_not_read_here() -> None:
    """Its paths lead to other files. The name that conmon has is in its arguments."""
    cgroup = f"/kubepods/pod{POD_UID}/{CONTAINER_ID}"
    docker = daemon("dockerd", "--data-root", "/srv/docker", cgroup=cgroup)
    containerd = daemon("containerd", "--state", "/srv/state", cgroup=cgroup)
    conmon = daemon("conmon", *conmon_of_podman("web", "/srv/graph", "/srv/run"), cgroup=cgroup)
    found = roots_of(docker, containerd, conmon)
    assert replace(found, monitors={}) == DEFAULT_ROOTS
    assert found.monitors == {CONTAINER_ID: (Monitor("web", "", scope_of(conmon)),)}


def test_an_id_that_is_none_has_no_monitor() -> None:
    assert roots_of(daemon("conmon", "-c", "x", "-n", "web")).monitors == {}


def test_each_root_is_there_once() -> None:
    daemons = [daemon("dockerd", "--data-root", "/srv/docker", pid=1) for _ in range(3)]
    daemons += [replace(each, cgroup=f"0::{USER_MANAGER}/x\n".encode(), uid=1000) for each in daemons]
    assert len(added("docker", *daemons)) == 4
