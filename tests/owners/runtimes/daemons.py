"""Daemons of a test, as they run on a host with systemd."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.owners.runtimes.daemon import ContainerDaemon
from testbed.waiting import until
from tests.owners.runtime_file_paths import CONTAINER_ID

USER_MANAGER = "/user.slice/user-1000.slice/user@1000.service"


def daemon(
    name: str, *arguments: str, uid: int = 0, cgroup: str = "/system.slice/any.service", pid: int = 100
) -> ContainerDaemon:
    """Return a daemon with these arguments; one of root unless told."""
    return ContainerDaemon(name, pid, (name, *arguments), f"/proc/{pid}/root", uid, f"0::{cgroup}\n".encode())


def rootless(name: str, *arguments: str, service: str = "app.slice/docker.service") -> ContainerDaemon:
    """Return a daemon of the user 1000."""
    return daemon(name, *arguments, uid=1000, cgroup=f"{USER_MANAGER}/{service}")


def conmon_of_podman(name: str, root: str, runroot: str) -> tuple[str, ...]:
    """Return the arguments that Podman gives to conmon."""
    bundle = f"{root}/overlay-containers/{CONTAINER_ID}/userdata"
    cleanup = ("--root", root, "--runroot", runroot, "--log-level", "warning", "container", "cleanup")
    return (
        "--api-version", "1", "-c", CONTAINER_ID, "-u", CONTAINER_ID, "-r", "/usr/bin/crun", "-b", bundle,
        "-p", f"{runroot}/overlay-containers/{CONTAINER_ID}/userdata/pidfile", "-n", name,
        "--exit-dir", "/run/libpod/exits", "--full-attach", "-s", "-l", "journald", "--log-level", "warning",
        "--syslog", "--exit-command", "/usr/bin/podman",
        *(part for option in cleanup for part in ("--exit-command-arg", option)),
        "--exit-command-arg", CONTAINER_ID,
    )  # fmt: skip


@contextmanager
def running(folder: Path, name: str, *arguments: str) -> Iterator[int]:
    """Run a program until the end of the block; it has its name and its arguments at the beginning."""
    program = folder / name
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o755)
    with subprocess.Popen([program, *arguments], stdin=subprocess.PIPE) as process:
        until(lambda: Path(f"/proc/{process.pid}/comm").read_text(), f"{name[:15]}\n".__eq__)
        # execve(2) sets them later.
        until(lambda: Path(f"/proc/{process.pid}/cmdline").read_bytes(), bool)
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()
