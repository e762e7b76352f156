"""A real systemd, booted as process 1 of a PID namespace, with the units of deploy/systemd.

It shares the network namespace of the test, so its services answer on the loopback of the test. Everything
else is its own and ends with it: processes, mounts, cgroups, host name, /etc, /run, /var, /tmp and /dev.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import pty
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from testbed import programs, syscalls
from testbed.page import Page, metrics
from testbed.waiting import until
from tests.deploy.systemd.installation import HOME, Installation

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
EXPORTER = "listen-queue-exporter.service"
PORT = 10511

_UNIT_FOLDER = "/run/systemd/system"
_SYSTEMD = Path("/usr/lib/systemd/systemd")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_COMMAND_SECONDS = 50.0
_SHOWN_CHARACTERS = 20_000
# In place of the units of the machine, which set its clock, its sysctls and its devices.
_TARGETS = "boot sysinit basic sockets timers multi-user shutdown"
_SCRIPT = f"""\
set -eu
mount --make-rprivate /
# As on a host, where services see what is mounted later.
mount --make-rshared /
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir -p {HOME}
mount --bind "$INSTALLED" {HOME}
mount --bind "$PYTHON" {HOME}/python
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p {_UNIT_FOLDER} /run/log /run/etc/default /run/dev/pts /run/dev/shm /run/var/tmp
for file in passwd group nsswitch.conf ld.so.cache ld.so.conf hosts; do
    [ ! -e /etc/$file ] || cp /etc/$file /run/etc
done
echo 0123456789abcdef0123456789abcdef >/run/etc/machine-id
for node in null zero full random urandom tty; do
    : >/run/dev/$node
    mount --bind /dev/$node /run/dev/$node
done
: >/run/dev/console
mount --bind "$CONSOLE" /run/dev/console
ln -s /proc/self/fd /run/dev/fd
ln -s pts/ptmx /run/dev/ptmx
mount -t devpts -o newinstance,ptmxmode=666 devpts /run/dev/pts
mount --rbind /run/dev /dev
mount --bind /run/etc /etc
mount --bind /run/var /var
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /usr/lib/systemd/system
mount -t tmpfs -o mode=755 tmpfs /usr/lib/systemd/system-generators
for target in {_TARGETS}; do
    printf '[Unit]\\nAllowIsolate=yes\\n' >/usr/lib/systemd/system/$target.target
done
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i PATH={_PATH} container=test {_SYSTEMD} --system --unit=boot.target \\
    --show-status=no --log-target=console --log-level=info
"""


class BootedSystemd:
    """A running systemd, for tests marked `netns`; its logs are printed where the test fails.

    Skips the test where the machine has no systemd, or gives it no namespaces and cgroups.
    """

    def __init__(self, installation: Installation, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._console = folder / "console"
        self._init = 0
        try:
            self._boot(installation)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for log in (self._console, *self.path("/run/log").iterdir()):
                text = log.read_text(errors="backslashreplace")[-_SHOWN_CHARACTERS:]
                sys.stderr.write(f"--- {log.name} wrote ---\n{text}")
        self._stack.close()

    def path(self, place: str) -> Path:
        """A path of its mount namespace, as the test reaches it."""
        return Path(f"/proc/{self._init}/root{place}")

    def install(self, *names: str) -> None:
        """Copy units of deploy/systemd to where systemd reads them; the exporter's log goes to /run/log."""
        for name in names:
            self.write(name, (UNITS / name).read_text())

        self.write(f"{EXPORTER}.d/log.conf", "[Service]\nStandardError=append:/run/log/exporter\n")

    def write(self, name: str, text: str) -> None:
        """Write a unit, or a drop-in named UNIT.d/NAME.conf, and have systemd read it."""
        self.file(f"{_UNIT_FOLDER}/{name}", text)
        self.systemctl("daemon-reload")

    def file(self, place: str, text: str) -> None:
        """Write a file in its mount namespace."""
        self.path(place).parent.mkdir(parents=True, exist_ok=True)
        self.path(place).write_text(text)

    def command(self, *command: str) -> list[str]:
        """The command line that runs a command in its namespaces."""
        return ["nsenter", f"--target={self._init}", "--mount", "--pid", "--cgroup", "--", *command]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in its namespaces."""
        return subprocess.run(
            self.command(*command),
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
            env={"PATH": _PATH, "LC_ALL": "C"},
        )

    def systemctl(self, *arguments: str) -> str:
        """The output of systemctl; fails the test where the exit status is not 0."""
        done = self.run("systemctl", *arguments)
        if done.returncode != 0:
            pytest.fail(f"systemctl {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done.stdout

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.systemctl("show", unit, f"--property={name}", "--value").removesuffix("\n")

    def metrics(self) -> Page:
        """The page of the exporter, parsed; OSError where the connection is refused."""
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=_COMMAND_SECONDS)
        try:
            connection.request("GET", "/metrics")
            return metrics(connection.getresponse().read().decode())
        finally:
            connection.close()

    def processes(self, unit: str) -> list[int]:
        """The process ids of a unit as the test sees them, in order."""
        place = self._cgroup / f"system.slice/{unit}/cgroup.procs"
        return sorted(map(int, place.read_text().split())) if place.exists() else []

    def _boot(self, installation: Installation) -> None:
        if not _SYSTEMD.exists():
            pytest.skip(f"there is no {_SYSTEMD}")
        unshare = [programs.find("unshare"), "--pid", "--fork", "--mount", "--cgroup", "--uts", "--ipc"]
        for name in ("systemctl", "nsenter"):
            programs.find(name)
        self._cgroup = self._make_cgroup()
        ours, console = pty.openpty()
        self._stack.callback(os.close, ours)
        process = subprocess.Popen(
            [*unshare, "--kill-child", "sh", "-c", _SCRIPT],
            env={
                "PATH": os.environ["PATH"],
                "INSTALLED": str(installation.files),
                "PYTHON": str(installation.python),
                "CONSOLE": os.ttyname(console),
            },
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            preexec_fn=self._enter_cgroup,  # noqa: PLW1509 # a test has one thread
        )
        os.close(console)
        self._stack.callback(self._kill, process)
        # systemd blocks when nothing reads its console.
        with self._console.open("wb") as log:
            reader = subprocess.Popen(["cat"], stdin=ours, stdout=log, stderr=subprocess.DEVNULL)
        self._stack.callback(reader.wait)
        self._stack.callback(reader.kill)
        until(lambda: self._is_up(process), bool)

    def _enter_cgroup(self) -> None:
        (self._cgroup / "cgroup.procs").write_text(str(os.getpid()))
        syscalls.die_with_parent()

    def _is_up(self, unshare: subprocess.Popen[bytes]) -> bool:
        if unshare.poll() is not None:
            pytest.skip(f"cannot boot systemd here: {self._console.read_text()}")
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
        self._init = int(children[0]) if children else 0
        return bool(children) and self.run("systemctl", "is-active", "boot.target").returncode == 0

    def _kill(self, unshare: subprocess.Popen[bytes]) -> None:
        # Process 1 can be waited for when every other process of the namespace has ended.
        if self._init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init, signal.SIGKILL)
        else:
            unshare.kill()
        unshare.wait()

    def _make_cgroup(self) -> Path:
        tree = self._console.with_name("cgroups")
        tree.mkdir()
        try:
            syscalls.call("mount", b"cgroup2", os.fsencode(tree), b"cgroup2", 0, None)
            self._stack.callback(syscalls.unmount, str(tree))
            made = tree / f"booted-{uuid.uuid4().hex}"
            made.mkdir()
        except OSError as refused:
            pytest.skip(f"cannot make a cgroup for systemd: {refused}")
        self._stack.callback(_remove, made)
        return made


def _remove(cgroup: Path) -> None:
    for folder in sorted(cgroup.rglob("*/"), reverse=True):
        folder.rmdir()
    cgroup.rmdir()
