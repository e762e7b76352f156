"""A process that lives in another network namespace, and ends with the test."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from exporter.broker.switcher import RUN_NETNS
from testbed import namespace, programs, syscalls

_NAMED = Path(os.fsdecode(RUN_NETNS))
_MOST_FILES = 65_536
_COOKIE = 71
_MS_BIND = 0x1000
_PR_SET_DUMPABLE = 4


class Neighbour:
    """Listens on TCP ports of the loopback in a namespace of its own, in `with`.

    `prepare` is called there before it listens. A stranger is root in a user namespace of its own. `pid`,
    `inode` and `cookie` are those of its process and namespace.
    """

    def __init__(
        self,
        *ports: int,
        prepare: Callable[[], object] = lambda: None,
        user: int = 0,
        stranger: bool = False,
    ) -> None:
        if user:
            _skip_unless_root("be several users")
        receiver, sender = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(receiver)
                self._live(ports, prepare, user, sender, parent, stranger=stranger)
            except BaseException:  # noqa: BLE001  (nobody above this fork would show it)
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(1)
        os.close(sender)
        words = os.read(receiver, 100).split()
        os.close(receiver)
        assert len(words) == 2, "the neighbour did not get as far as to live there"
        self.inode, self.cookie = map(int, words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Let the process end, and wait until it has."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def started(self) -> int:
        """When the process started, in clock ticks."""
        return int(Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[19])

    @staticmethod
    def _live(
        ports: Sequence[int],
        prepare: Callable[[], object],
        user: int,
        sender: int,
        parent: int,
        *,
        stranger: bool,
    ) -> None:
        # Objects of the test must not close numbers that are given anew here.
        gc.disable()
        os.closerange(3, sender)
        os.closerange(sender + 1, _MOST_FILES)
        root, group = os.geteuid(), os.getegid()
        syscalls.unshare(syscalls.CLONE_NEWNET | (syscalls.CLONE_NEWUSER if stranger else 0))
        if stranger:
            _become_root(root, group)
        programs.output("ip", "link", "set", "lo", "up")
        prepare()
        listening = [socket.create_server(("127.0.0.1", port)) for port in ports]
        inode = Path("/proc/self/ns/net").stat().st_ino
        with socket.socket(socket.AF_UNIX) as any_socket:
            known = cookie_of(any_socket)
        if user:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            # Who changed its user belongs to root in /proc, one that was started as it does not.
            syscalls.prctl(_PR_SET_DUMPABLE, 1)
        syscalls.die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        os.write(sender, f"{inode} {known}".encode())
        os.close(sender)
        while True:
            signal.pause()
            assert len(listening) == len(ports)


def _become_root(user: int, group: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def cookie_of(of: socket.socket) -> int:
    """The cookie of a socket's network namespace."""
    return int.from_bytes(of.getsockopt(socket.SOL_SOCKET, _COOKIE, 8), "little")


def own_cookie() -> int:
    """The cookie of the namespace of this process."""
    with socket.socket(socket.AF_UNIX) as any_socket:
        return cookie_of(any_socket)


def hide_named() -> None:
    """Have names of namespaces of the test's own; skips where /run may not be mounted over."""
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


def inside(neighbour: Neighbour, work: Callable[[], object], *, flags: int = syscalls.CLONE_NEWNET) -> None:
    """Call `work` in the namespace of a neighbour, in a process that ends with it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            pidfd = os.pidfd_open(neighbour.pid)
            syscalls.call("setns", pidfd, flags)
            os.close(pidfd)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.01)


def descriptors(pid: int | str = "self") -> int:
    """How many descriptors a process has open."""
    if pid == "self":
        # What tests before left to the garbage collector must not go between two counts.
        gc.collect()
    with contextlib.closing(os.scandir(f"/proc/{pid}/fd")) as targets:
        return sum(1 for _ in targets)
