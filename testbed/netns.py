"""Network namespaces beside the one of the test: as containers have them, or named as by `ip netns add`.

Each is made by a process of its own, which runs the commands of the test in there. Use it in tests marked
`netns`: names are then seen in the test alone, and all processes end with it.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import warnings
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import pytest

from testbed import namespace, programs, syscalls

_NAMED = Path("/run/netns")
_CONNECT_SECONDS = 5.0
_MOST_FILES = 65_536


class Namespaces:
    """The namespaces of one test; all of them go, with their processes and names, when the context ends."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._mounted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def container(self, *, process: str = "container", user_namespace: bool = False) -> Container:
        """A namespace with a process of this name in it; `user_namespace` makes it that of a rootless one.

        Skips the test where the machine or the user may not make it.
        """
        container = Container(process, user_namespace=user_namespace)
        self._stack.callback(container.stop)
        return container

    def named(self, name: str, *, process: str = "container", user_namespace: bool = False) -> Container:
        """The same with a name in /run/netns, by which it stays when its process ends.

        Skips the test where only root may mount over /run/netns.
        """
        self._mount_empty_run_netns()
        container = self.container(process=process, user_namespace=user_namespace)
        file = _NAMED / name
        file.touch(exist_ok=False)
        syscalls.mount_same(f"/proc/{container.pid}/ns/net", str(file))
        self._stack.callback(self.remove_name, name)
        return container

    def remove_name(self, name: str) -> None:
        """Remove a name, as `ip netns delete` does; the namespace stays while a process is in it."""
        file = _NAMED / name
        if file.exists():
            syscalls.unmount(str(file))
            file.unlink()

    def _mount_empty_run_netns(self) -> None:
        if self._mounted:
            return
        if os.geteuid() != 0 or Path("/proc/self/uid_map").read_text().split()[2] == "1":
            pytest.skip("only root may mount over /run/netns")
        namespace.hide_named()
        self._mounted = True


class Container:
    """A network namespace and the process in it that keeps it."""

    def __init__(self, process: str, *, user_namespace: bool) -> None:
        """Fork the process, which has no file of the test open."""
        self._commands, theirs = Pipe()
        parent = os.getpid()
        with warnings.catch_warnings():
            # Newer Pythons warn of a fork beside threads; the child does only what is written here.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            _run_in_namespace(theirs, process, parent, user_namespace=user_namespace)
        theirs.close()
        self._running = True
        refused = self._commands.recv()
        if refused:
            self.stop()
            pytest.skip(f"cannot make a network namespace: {refused}")
        self.inode = Path(f"/proc/{self.pid}/ns/net").stat().st_ino

    def listen_tcp(self, *ports: int, backlog: int = 128, host: str = "0.0.0.0") -> None:
        """Listen on these ports, and never accept."""
        self._command("listen_tcp", ports, backlog, host)

    def listen_unix(self, *names: str, backlog: int = 128) -> None:
        """Listen under these abstract names, written without @, and never accept."""
        self._command("listen_unix", names, backlog)

    def fill_tcp(self, port: int, connections: int) -> None:
        """Have so many more clients wait in the queue of a port; fails the test where they do not fit."""
        self._command("fill_tcp", port, connections)

    def fill_unix(self, name: str, connections: int) -> None:
        """The same for an abstract name."""
        self._command("fill_unix", name, connections)

    def veth(self, ours: str, theirs: str, device: str = "veth0") -> None:
        """Connect it with the test's namespace: two ends with addresses such as 10.98.0.1/30.

        The end in here is called eth0.
        """
        peer = ("peer", "name", "eth0", "netns", str(self.pid))
        programs.output("ip", "link", "add", device, "type", "veth", *peer)
        programs.output("ip", "address", "add", ours, "dev", device)
        programs.output("ip", "link", "set", device, "up")
        ip = programs.find("ip")
        self._command("run", [ip, "address", "add", theirs, "dev", "eth0"])
        self._command("run", [ip, "link", "set", "eth0", "up"])

    def stop(self) -> None:
        """Kill the process, and with it all it listened on; the namespace goes too unless it has a name."""
        if self._running:
            self._running = False
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._commands.close()

    def _command(self, *command: object) -> None:
        self._commands.send(command)
        refused = self._commands.recv()
        if refused:
            pytest.fail(f"in the namespace of process {self.pid}: {command}: {refused}")


class _Commands:
    """What the process in the namespace can do."""

    def __init__(self) -> None:
        self._open: list[socket.socket] = []

    def listen_tcp(self, ports: tuple[int, ...], backlog: int, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for port in ports:
            self._open.append(socket.create_server((host, port), family=family, backlog=backlog))

    def listen_unix(self, names: tuple[str, ...], backlog: int) -> None:
        for name in names:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"\0{name}")
            listener.listen(backlog)
            self._open.append(listener)

    def fill_tcp(self, port: int, connections: int) -> None:
        for _ in range(connections):
            self._open.append(socket.create_connection(("localhost", port), timeout=_CONNECT_SECONDS))

    def fill_unix(self, name: str, connections: int) -> None:
        for _ in range(connections):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(_CONNECT_SECONDS)
            client.connect(f"\0{name}")
            self._open.append(client)

    def run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(done.stderr.strip())


def _run_in_namespace(commands: Connection, process: str, parent: int, *, user_namespace: bool) -> NoReturn:
    try:
        # Objects of the test must not close numbers that are given anew here.
        gc.disable()
        os.closerange(3, commands.fileno())
        os.closerange(commands.fileno() + 1, _MOST_FILES)
        try:
            _enter(process, user_namespace=user_namespace)
        except OSError as refused:
            commands.send(str(refused))
            os._exit(0)
        if os.getppid() == parent:
            commands.send(None)
            _run_commands(commands)
    finally:
        os._exit(0)


def _enter(process: str, *, user_namespace: bool) -> None:
    user, group = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWNET | (syscalls.CLONE_NEWUSER if user_namespace else 0))
    if user_namespace:
        namespace.become_root(user, group)
    namespace.bring_up("lo")
    Path("/proc/self/comm").write_text(process)
    # Last: the capabilities gained in a user namespace would undo it.
    syscalls.die_with_parent()


def _run_commands(commands: Connection) -> None:
    known = _Commands()
    with suppress(EOFError):
        while True:
            name, *arguments = commands.recv()
            try:
                getattr(known, name)(*arguments)
            except OSError as refused:
                commands.send(str(refused) or type(refused).__name__)
            else:
                commands.send(None)
