"""The exporter in a container of its image: run by buildah, or with a read-only root as compose runs it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals
from types import TracebackType
from typing import Any

from testbed import programs
from testbed.daemon import ExporterProgram
from testbed.waiting import until
from tests.deploy.image.buildah import Buildah

# What a container runtime does for `read_only: true`, with /proc, /dev and further folders of the host.
# The mounts are made in a mount namespace, so they end with the command.
_READ_ONLY = """
root=$1 mounts=$2
shift 2
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
for mount in $mounts; do
    mkdir -p "$root$mount"
    mount --rbind "$mount" "$root$mount"
done
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of an image: `config` is the field of that name of the OCI image configuration."""

    buildah: Buildah
    name: str
    root: Path
    config: dict[str, Any]

    @property
    def entrypoint(self) -> list[str]:
        """The entry point of the image."""
        found: list[str] = self.config["Entrypoint"]
        return found

    def buildah_command(self, *arguments: str) -> list[str]:
        """The `buildah run` command for the entry point with these arguments, as the user of the image."""
        return self.buildah.command("run", "--network=host", self.name, "--", *self.entrypoint, *arguments)

    def read_only_command(
        self, *command: str, user: str = "", capabilities: Sequence[str] = (), mounts: Sequence[str] = ()
    ) -> list[str]:
        """A command that runs `command` in the container with a read-only root and at most `capabilities`.

        It runs as `user`, by default that of the image; `mounts` are folders of the host that it sees.
        """
        uid, _, gid = (user or self.config["User"]).partition(":")
        bounding = ",".join(["-all", *(f"+{name.lower()}" for name in capabilities)])
        identity = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"]
        hardened = ["setpriv", *identity, f"--bounding-set={bounding}", f"--inh-caps={bounding}", *command]
        unshare = [programs.find("unshare"), "--mount", "--propagation=private"]
        return [*unshare, "sh", "-ec", _READ_ONLY, "sh", str(self.root), " ".join(mounts), *hardened]


class ContainerDaemon(ExporterProgram):
    """An exporter that was started by a command of a container, for tests marked netns."""

    def __init__(self, container: Container, command: Sequence[str], port: int = 10511) -> None:
        """Start it; `port` is the one that the command makes it listen on."""
        self.port = port
        self._program = container.entrypoint[0]
        self._folder = tempfile.TemporaryDirectory(prefix="container-")
        log = Path(self._folder.name, "exporter.log")
        super().__init__(command, log, env=container.buildah.environment)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._folder.cleanup()

    def processes(self) -> list[int]:
        """The process ids of the exporter, the lowest first."""
        return sorted(pid for pid in _in_this_namespace() if _program_of(pid) == self._program)

    def stop(self, number: Signals = SIGTERM) -> int:
        """Send the exporter a signal, as a container runtime does, and return the container's exit status."""
        os.kill(until(self.processes, bool)[0], number)
        return self.wait()


def _in_this_namespace() -> list[int]:
    found = []
    own = Path("/proc/self/ns/net").stat().st_ino
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/net").stat().st_ino == own:
                found.append(int(process.name))
        except OSError:  # the process has ended
            continue
    return found


def _program_of(pid: int) -> str:
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0])
    except OSError:
        return ""
