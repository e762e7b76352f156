"""The exporter in a container of its image: started by buildah, or with a read-only root as by compose."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Any

from testbed import programs, syscalls
from testbed.daemon import Daemon
from testbed.waiting import until
from tests.deploy.image.buildah import Buildah

# What a runtime does for `read_only: true`, with /proc and /dev as every container has them and with further
# folders of the host; in a mount namespace, so that nothing is left of it.
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
    """A container that was made of an image: what the image says of itself, and its files."""

    buildah: Buildah
    name: str
    root: Path
    about: dict[str, Any]

    @property
    def entrypoint(self) -> list[str]:
        """The program and the arguments that the image begins with."""
        found: list[str] = self.about["Entrypoint"]
        return found

    def through_buildah(self, *arguments: str) -> list[str]:
        """The command that runs the image's entry point as its user, with these arguments."""
        return self.buildah.command("run", "--network=host", self.name, "--", *self.entrypoint, *arguments)

    def read_only(
        self, *command: str, user: str = "", capabilities: Sequence[str] = (), mounts: Sequence[str] = ()
    ) -> list[str]:
        """The command that runs another in here, with nothing to write to, and these capabilities at most.

        It is run by `user`, or by whom the image says; `mounts` are folders of this host that it sees.
        """
        uid, _, gid = (user or self.about["User"]).partition(":")
        bounding = ",".join(["-all", *(f"+{name.lower()}" for name in capabilities)])
        become = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"]
        hardened = ["setpriv", *become, f"--bounding-set={bounding}", f"--inh-caps={bounding}", *command]
        own = [programs.find("unshare"), "--mount", "--propagation=private", "sh", "-ec", _READ_ONLY, "sh"]
        return [*own, str(self.root), " ".join(mounts), *hardened]


class Contained(Daemon):
    """An exporter that was started by a command of a container; to be used in tests marked netns."""

    def __init__(self, container: Container, command: Sequence[str], port: int = 10511) -> None:
        """Start it; `port` is where it is told to serve."""
        self.port = port
        self._program = container.entrypoint[0]
        self._folder = tempfile.TemporaryDirectory(prefix="contained-")
        self._log = Path(self._folder.name, "log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=container.buildah.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the lab has one thread
            )

    def processes(self) -> list[int]:
        """The processes of the exporter itself, the first one before those that it started."""
        return sorted(pid for pid in _in_this_namespace() if _started_as(pid) == self._program)

    def stop(self, number: Signals = SIGTERM, deadline_seconds: float = 20) -> int:
        """Send the exporter a signal, as a runtime does, and return the exit status of the container."""
        os.kill(until(self.processes, bool)[0], number)
        return self.wait(deadline_seconds)


def _in_this_namespace() -> list[int]:
    found = []
    own = Path("/proc/self/ns/net").stat().st_ino
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/net").stat().st_ino == own:
                found.append(int(process.name))
        except OSError:  # it has ended
            continue
    return found


def _started_as(pid: int) -> str:
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0])
    except OSError:
        return ""
