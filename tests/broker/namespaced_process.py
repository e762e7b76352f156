"""A process in another network namespace, which ends with the test."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from exporter.broker.switcher import RUN_NETNS
from testbed import namespace, programs, syscalls
from testbed.forked_process import ForkedProcess

_NAMED = Path(os.fsdecode(RUN_NETNS))
_MOST_FILES = 65_536
_COOKIE = 71
_MS_BIND = 0x1000
_PR_SET_DUMPABLE = 4


class NamespacedProcess(ForkedProcess):
    """Listens on TCP ports of the loopback in a namespace of its own, in `with`.

    `prepare` is called there before it listens. `user` is the user that it becomes; with `user_namespace` it
    is root in one of its own. `pid`, `inode` and `cookie` are those of its process and namespace.
    """

    def __init__(
        self,
        *ports: int,
        prepare: Callable[[], object] = lambda: None,
        user: int = 0,
        user_namespace: bool = False,
    ) -> None:
        if user:
            _skip_unless_root("be several users")
        parent = os.getpid()
        super().__init__(
            lambda sender: self._run(ports, prepare, user, sender, parent, user_namespace=user_namespace)
        )
        words = self.report.split()
        assert len(words) == 2, "the process did not get into its namespace"
        self.inode, self.cookie = map(int, words)

    def started(self) -> int:
        """Return when the process started, in clock ticks."""
        return int(Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[19])

    @staticmethod
    def _run(
        ports: Sequence[int],
        prepare: Callable[[], object],
        user: int,
        sender: int,
        parent: int,
        *,
        user_namespace: bool,
    ) -> None:
        # Objects of the test must not close descriptors that get their numbers here.
        gc.disable()
        os.closerange(3, sender)
        os.closerange(sender + 1, _MOST_FILES)
        root, group = os.geteuid(), os.getegid()
        syscalls.unshare(syscalls.CLONE_NEWNET | (syscalls.CLONE_NEWUSER if user_namespace else 0))
        if user_namespace:
            _become_root(root, group)
        programs.output("ip", "link", "set", "lo", "up")
        prepare()
        listening = [socket.create_server(("127.0.0.1", port)) for port in ports]
        inode = Path("/proc/self/ns/net").stat().st_ino
        with socket.socket(socket.AF_UNIX) as any_socket:
            cookie = cookie_of(any_socket)
        if user:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            # The files in /proc of a process that changed its user belong to root, unless it is dumpable.
            syscalls.prctl(_PR_SET_DUMPABLE, 1)
        syscalls.die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        os.write(sender, f"{inode} {cookie}".encode())
        os.close(sender)
        while True:
            signal.pause()
            assert len(listening) == len(ports)


def _become_root(user: int, group: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def cookie_of(channel: socket.socket) -> int:
    """Return the cookie of a socket's network namespace, 0 where the kernel has none (before 5.14)."""
    try:
        return int.from_bytes(channel.getsockopt(socket.SOL_SOCKET, _COOKIE, 8), "little")
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
        return 0


def own_cookie() -> int:
    """Return the cookie of the namespace of this process."""
    with socket.socket(socket.AF_UNIX) as any_socket:
        return cookie_of(any_socket)


def hide_named() -> None:
    """Give the test an empty /run/netns; skips it where nothing may be mounted there."""
    _skip_unless_root(f"mount over {_NAMED}")
    namespace.hide_named()


def _skip_unless_root(what: str) -> None:
    if os.geteuid() != 0 or Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip(f"only root outside a user namespace may {what}")


def give_name(name: str, pid: int) -> None:
    """Do what `ip netns attach` does, for the namespace of a process."""
    target = _NAMED / name
    target.touch()
    source, flags = f"/proc/{pid}/ns/net".encode(), ctypes.c_ulong(_MS_BIND)
    # The name may be no text.
    syscalls.call("mount", source, os.fsencode(target), None, flags, None)


def take_name(name: str) -> None:
    """Do what `ip netns delete` does."""
    target = _NAMED / name
    syscalls.unmount(str(target))
    target.unlink()


def run_inside(
    process: NamespacedProcess, work: Callable[[], object], *, flags: int = syscalls.CLONE_NEWNET
) -> None:
    """Call `work` in the namespace of a process, in a child that ends after it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            pidfd = os.pidfd_open(process.pid)
            syscalls.call("setns", pidfd, flags)
            os.close(pidfd)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def uptime_ticks() -> int:
    """Return the present time as the start of a process is given, in hundredths of a second."""
    return int(float(Path("/proc/uptime").read_text().split()[0]) * 100)


def descriptors(pid: int | str = "self") -> int:
    """Return how many descriptors a process has open."""
    if pid == "self":
        # What earlier tests left to the garbage collector must not be closed between two counts.
        gc.collect()
    with contextlib.closing(os.scandir(f"/proc/{pid}/fd")) as entries:
        return sum(1 for _ in entries)
