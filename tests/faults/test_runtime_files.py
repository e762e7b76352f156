"""Files of container runtimes that a user has written: they name nobody else, and cost little."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed import figures, syscalls
from testbed.daemon import Daemon, running
from testbed.waiting import until
from tests.integration import cgroups, listening_sockets
from tests.integration.metric_values import EAGER

pytestmark = pytest.mark.netns

CONTAINER_ID = "cd" * 32
PORT = 21000
POD_UID = "2f6b1c9e-8a7d-4f13-9c55-0d1e2f3a4b5c"
MEGABYTE = 1 << 20


@contextmanager
def listening_in(cgroup: Path) -> Iterator[None]:
    """A program in a cgroup that listens."""
    ready, report_ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.die_with_parent()
            cgroups.enter(cgroup)
            kept = [listening_sockets.tcp("127.0.0.1", PORT)]
            os.write(report_ready, b"r")
            while kept:
                signal.pause()
        finally:
            os._exit(1)
    os.close(report_ready)
    try:
        assert os.read(ready, 1) == b"r"
        yield
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def info(daemon: Daemon) -> dict[str, str]:
    """What is known of the owner of the listener."""
    page = until(daemon.metrics, lambda page: bool(page.all("listen_queue_listener_info", port=str(PORT))))
    (labels,) = page.all("listen_queue_listener_info", port=str(PORT))
    return dict(labels)


def write_docker(container: object) -> None:
    """Write what Docker writes about the container; its directory is the test's alone."""
    root = Path("/var/lib/docker")
    root.mkdir(exist_ok=True)
    syscalls.mount_empty(str(root))
    folder = root / "containers" / CONTAINER_ID
    folder.mkdir(parents=True)
    (folder / "config.v2.json").write_text(json.dumps(container))


@pytest.mark.fault(
    "an image with labels of Kubernetes that name the pod of somebody else, one of them a megabyte long",
    "the container has its own name, no pod and no namespace; no value has more than 256 bytes",
)
def test_labels_of_an_image() -> None:
    kubernetes = {
        "io.kubernetes.container.name": "api" + "x" * MEGABYTE,
        "io.kubernetes.pod.name": "payments-0",
        "io.kubernetes.pod.namespace": "prod",
    }
    with cgroups.new_cgroup() as top:
        write_docker({"Name": "/attacker", "Config": {"Labels": {**kubernetes, "x": "y"}}})
        with listening_in(top / "docker" / CONTAINER_ID), running(config=EAGER) as daemon:
            found = until(lambda: info(daemon), lambda known: known["runtime"] == "docker")
            assert (found["pod"], found["namespace"]) == ("", "")
            assert max(len(value.encode()) for value in found.values()) <= 256
            figures.note(f"the container is {found['container']!r}")


@pytest.mark.fault(
    "the same in cgroups that a user makes in their own, with the names that a pod's have",
    "no pod and no namespace, and the name of no container of root's",
)
def test_cgroups_of_a_user() -> None:
    with cgroups.new_cgroup() as top:
        if top.parent.name != "unified" and top.parent != Path("/sys/fs/cgroup"):
            pytest.skip("the cgroups of this machine are not at their usual place")
        user = top.parent / "user.slice" / "user-12345.slice" / "user@12345.service"
        if user.exists() or (top.parent / "user.slice").exists():
            pytest.skip("this machine has users of its own")
        pod = user / "kubepods" / f"pod{POD_UID}" / CONTAINER_ID
        logs = Path("/var/log/pods")
        logs.mkdir(parents=True, exist_ok=True)
        syscalls.mount_empty(str(logs))
        (logs / f"prod_payments-0_{POD_UID}" / "api").mkdir(parents=True)
        write_docker({"Name": "/victim"})
        try:
            with listening_in(pod), running(config=EAGER) as daemon:
                found = info(daemon)
                assert (found["pod"], found["namespace"]) == ("", "")
                assert found["container"] not in ("api", "victim")
                figures.note(f"the container is {found['container']!r}")
        finally:
            until(lambda: _removed(top.parent / "user.slice"), bool)


def _removed(folder: Path) -> bool:
    for each in sorted((path for path in folder.rglob("*/") if path.is_dir()), reverse=True):
        try:
            each.rmdir()
        except OSError:
            return False
    folder.rmdir()
    return True


LISTS = {
    "lists": b"[" + b"[]," * (8 * MEGABYTE // 3) + b"[]]",
    "objects": b"[" + b"{}," * (8 * MEGABYTE // 3) + b"{}]",
    "numbers": b"[" + b"1.5," * (2 * MEGABYTE) + b"1]",
}


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
@pytest.mark.fault(
    "a list of Podman's containers of 8 MiB with as many values as fit",
    "it is not read; memory stays as it is, and pages come",
)
def test_a_large_list_of_containers(content: bytes) -> None:
    with cgroups.new_cgroup() as top:
        storage = Path("/var/lib/containers/storage")
        storage.mkdir(parents=True, exist_ok=True)
        syscalls.mount_empty(str(storage))
        for place in ("overlay-containers", "vfs-containers"):
            (storage / place).mkdir()
            (storage / place / "containers.json").write_bytes(content)
        with running(config=EAGER) as daemon:
            before = daemon.metrics().value("process_resident_memory_bytes")
            with listening_in(top / f"libpod-{CONTAINER_ID}.scope"):
                assert info(daemon)["runtime"] == "podman"
                _check_cost(daemon, before)


@pytest.mark.fault(
    "a program called containerd with a configuration of 64 KiB, one key of 30,000 parts",
    "it is not read: memory stays as it is, and pages come",
)
def test_a_costly_configuration_of_a_daemon(tmp_path: Path) -> None:
    configuration = tmp_path / "config.toml"
    configuration.write_bytes(b"a" + b".a" * 32_000 + b" = 1\n")
    with cgroups.new_cgroup() as top, running(config=EAGER) as daemon:
        before = daemon.metrics().value("process_resident_memory_bytes")
        named = tmp_path / "containerd"
        named.symlink_to("/bin/sh")
        script = tmp_path / "stop"
        script.write_text("kill -STOP $$\n")
        with (
            _program(str(named), str(script), "--config", str(configuration)),
            listening_in(top / "unknown" / CONTAINER_ID),
        ):
            assert info(daemon)["container"]
            _check_cost(daemon, before)


@contextmanager
def _program(path: str, *arguments: str) -> Iterator[None]:
    """A program that sleeps, by this path and with these arguments."""
    pid = os.posix_spawn(path, [path, *arguments], os.environ)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _check_cost(daemon: Daemon, before: float) -> None:
    """Fail where memory grows, or a page takes long, while files are read and read again."""
    until_end = time.monotonic() + 7.0
    longest, most = 0.0, 0.0
    while time.monotonic() < until_end:
        asked = time.monotonic()
        page = daemon.metrics()
        longest = max(longest, time.monotonic() - asked)
        most = max(most, page.value("process_resident_memory_bytes"))
        time.sleep(0.05)
    figures.note(f"{(most - before) / MEGABYTE:.0f} MiB more, a page in {longest:.2f} s")
    assert most - before < 48 * MEGABYTE
