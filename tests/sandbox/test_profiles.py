"""What each process may is what it needs, and what an attacker would need first is refused."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import pwd
import signal
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.sandbox import kinds, profiles, seccomp
from exporter.sandbox.seccomp import Rules
from exporter.sandbox.syscalls import ARCHITECTURES
from testbed import syscalls
from tests.sandbox.confined import WORKS, outcomes

pytestmark = pytest.mark.skipif(
    platform.machine() not in ARCHITECTURES, reason="the numbers of this architecture are not known"
)
_CLONE_NEWUSER = 0x10000000
_EXECUTABLE = mmap.PROT_READ | mmap.PROT_EXEC
_WRITABLE_TOO = _EXECUTABLE | mmap.PROT_WRITE
_PR_SET_DUMPABLE = 4


def install(rules: Callable[[], Rules]) -> Callable[[], None]:
    return lambda: seccomp.install(rules())


def thread() -> None:
    started = threading.Thread(target=lambda: None)
    started.start()
    started.join()


def open_socket(family: int) -> None:
    socket.socket(family, socket.SOCK_DGRAM).close()


def write_by_openat2(path: str) -> None:
    """Its flags lie in memory, where a filter cannot see them (struct open_how)."""
    how = struct.pack("=QQQ", os.O_WRONLY, 0, 0)
    arguments = (ctypes.c_long(437), ctypes.c_long(-100), path.encode(), how, ctypes.c_size_t(len(how)))
    syscalls.call("syscall", *arguments)


ATTACKS: dict[str, Callable[[], object]] = {
    "execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
    "write a file": lambda: os.open("/dev/null", os.O_WRONLY),
    "create a file": lambda: os.open("/run/of-nobody", os.O_RDONLY | os.O_CREAT),
    "write a file by openat2": lambda: write_by_openat2("/dev/null"),
    "remove a file": lambda: Path("/run/not-there").unlink(),
    "end another": lambda: os.kill(os.getppid(), signal.SIGTERM),
    "trace another": lambda: syscalls.call("ptrace", 16, os.getppid(), None, None),
    "a user namespace": lambda: syscalls.unshare(_CLONE_NEWUSER),
    "mount": lambda: syscalls.call("mount", b"none", b"/", None, None, None),
    "become root": lambda: os.setuid(0),
    "any packet": lambda: open_socket(socket.AF_PACKET),
    "memory to write and execute": lambda: mmap.mmap(-1, 4096, prot=_WRITABLE_TOO),
    "a port": lambda: socket.create_server(("127.0.0.1", 0)),
    "a port without a number": lambda: socket.socket().listen(1),
    "a port of UDP": lambda: socket.socket(type=socket.SOCK_DGRAM).bind(("127.0.0.1", 0)),
    "to be looked into": lambda: syscalls.prctl(_PR_SET_DUMPABLE, 1),
}


def accept_one(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()):
        listener.accept()[0].close()


def test_the_exporter_serves_and_looks_up_names_and_no_more() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    needs: dict[str, Callable[[], object]] = {
        "read": lambda: Path("/proc/self/stat").read_bytes(),
        "a thread": thread,
        "a name": lambda: pwd.getpwuid(0),
        "an address": lambda: socket.getaddrinfo("localhost", 80),
        "a page": lambda: accept_one(listener),
        "a notification": lambda: open_socket(socket.AF_UNIX),
        "sock_diag": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4).connect((0, 0)),
        "a library": lambda: mmap.mmap(-1, 4096, prot=_EXECUTABLE),
        "whether a process exists": lambda: os.kill(os.getppid(), 0),
    }
    child: dict[str, Callable[[], object]] = {"a process": os.fork}
    with listener:
        found = outcomes(install(profiles.exporter), needs | ATTACKS | child)
    assert found == dict.fromkeys(needs, WORKS) | dict.fromkeys(ATTACKS | child, "EPERM")


def test_the_broker_enters_network_namespaces_and_no_more() -> None:
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    other = os.open("/proc/self/ns/uts", os.O_RDONLY)
    needs: dict[str, Callable[[], object]] = {
        "read": lambda: Path("/proc/self/stat").read_bytes(),
        "sock_diag": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4).bind((0, 0)),
        "enter": lambda: syscalls.call("setns", own, syscalls.CLONE_NEWNET),
    }
    refused: dict[str, Callable[[], object]] = {
        "enter another kind": lambda: syscalls.call("setns", other, 0),
        "a connection": lambda: open_socket(socket.AF_INET),
        "a process": os.fork,
        "a library": lambda: mmap.mmap(-1, 4096, prot=_EXECUTABLE),
    }
    found = outcomes(install(lambda: profiles.broker(1)), needs | ATTACKS | refused)
    assert found.pop("enter") in {WORKS, "EPERM"}
    needs.pop("enter")
    assert found == dict.fromkeys(needs, WORKS) | dict.fromkeys(ATTACKS | refused, "EPERM")


def test_the_broker_ends_the_exporter_and_nobody_else() -> None:
    exporter = os.getppid()
    calls: dict[str, Callable[[], object]] = {
        "with another signal": lambda: os.kill(exporter, 0),
        "another": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "it": lambda: os.kill(0x7FFFFFF0, signal.SIGKILL),
    }
    found = outcomes(install(lambda: profiles.broker(0x7FFFFFF0)), calls)
    assert found == {"with another signal": "EPERM", "another": "EPERM", "it": "ESRCH"}


def test_the_file_broker_has_no_socket_and_enters_nothing() -> None:
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    refused: dict[str, Callable[[], object]] = {
        "any socket": lambda: open_socket(socket.AF_UNIX),
        "sock_diag": lambda: open_socket(socket.AF_NETLINK),
        "enter": lambda: syscalls.call("setns", own, syscalls.CLONE_NEWNET),
        "end": lambda: os.kill(os.getpid(), signal.SIGKILL),
    }
    found = outcomes(install(profiles.file_broker), ATTACKS | refused)
    assert found == dict.fromkeys(ATTACKS | refused, "EPERM")


def test_the_supervisor_opens_files_for_reading_only() -> None:
    """Its filter holds for the brokers too, whatever they may beside that."""
    writes = {name: call for name, call in ATTACKS.items() if "a file" in name}
    assert outcomes(install(profiles.supervisor), writes) == dict.fromkeys(writes, "EPERM")


def test_what_works_here_is_found_out_by_trying() -> None:
    found = kinds.available()
    assert kinds.Kind.SECCOMP in found
    assert found & ~kinds.ALL == kinds.NONE


def test_where_filters_are_forbidden_there_is_none() -> None:
    """As where a service manager allows no more system calls."""

    def only(call: Callable[[], object]) -> Callable[[], object]:
        def confined() -> None:
            seccomp.install({**profiles.supervisor(), "prctl": ((seccomp.Argument(0, 38),),)})
            call()

        return confined

    def look() -> None:
        if kinds.available() != kinds.NONE:
            raise OSError(0, "something is allowed")

    assert outcomes(lambda: None, {"none": only(look)}) == {"none": WORKS}


def test_a_library_function_is_known_to_ctypes() -> None:
    """A typo in the names above would read as refused."""
    libc = ctypes.CDLL(None)
    assert all(hasattr(libc, name) for name in ("ptrace", "mount", "setns", "unshare"))
