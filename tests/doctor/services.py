"""Services of tests, each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from testbed import syscalls

# Listens on a port with a backlog, and accepts a connection every so many seconds, which it keeps.
_SLOW = """
import socket, sys, time
port, backlog, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
listener = socket.create_server(("127.0.0.1", port), backlog=backlog)
print("listens", flush=True)
kept = []
while True:
    time.sleep(pause)
    kept.append(listener.accept())
"""
# Listens on a port with sockets (SO_REUSEPORT) that each of its workers holds, which accept from one each.
_WORKERS = """
import os, signal, socket, sys
sockets = []
for _ in range(int(sys.argv[2])):
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind(("127.0.0.1", int(sys.argv[1])))
    opened.listen(3)
    sockets.append(opened)
workers = []
for opened in sockets:
    workers.append(os.fork())
    if not workers[-1]:
        kept = []
        while True:
            kept.append(opened.accept())
print(*workers, flush=True)
signal.pause()
"""
# Listens on a path, and accepts nothing; it does not even run.
_HUNG_UNIX = """
import signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(3)
print("listens", flush=True)
signal.pause()
"""
# Listens on a port, and has a child that shares its memory (vfork) and never ends: until it does, the kernel
# shows the service as it shows one that waits for a disk.
_BLOCKED = """
import ctypes, os, signal, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=3)
os.write(1, b"listens\\n")
ctypes.PyDLL(None).vfork()
while True:
    signal.pause()
"""
# Listens on a port, and opens files until it may open no more, so that accept() fails.
_OUT_OF_FILES = """
import os, resource, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=3)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
try:
    while True:
        os.open("/dev/null", os.O_RDONLY)
except OSError:
    print("listens", flush=True)
while True:
    time.sleep(1)
"""


@contextmanager
def slow(port: int, backlog: int, pause: float) -> Iterator[subprocess.Popen[str]]:
    """A service that accepts a connection every `pause` seconds."""
    with _running(_SLOW, str(port), str(backlog), str(pause)) as process:
        yield process


@contextmanager
def out_of_files(port: int) -> Iterator[subprocess.Popen[str]]:
    """A service that may open no further file."""
    with _running(_OUT_OF_FILES, str(port)) as process:
        yield process


@contextmanager
def blocked(port: int) -> Iterator[subprocess.Popen[str]]:
    """A service in an uninterruptible sleep."""
    with _running(_BLOCKED, str(port)) as process:
        yield process


@contextmanager
def hung_unix(path: str) -> Iterator[subprocess.Popen[str]]:
    """A service at a unix socket that accepts nothing."""
    with _running(_HUNG_UNIX, path) as process:
        yield process


@contextmanager
def workers(port: int, number: int) -> Iterator[list[int]]:
    """The workers of a service, each of which has a socket of its own, as with `reuseport` in nginx."""
    with _started(_WORKERS, str(port), str(number)) as (_, line):
        yield [int(pid) for pid in line.split()]


@contextmanager
def _running(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with _started(code, *arguments) as (process, line):
        assert line == "listens\n"
        yield process


@contextmanager
def _started(code: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a program, and return it with the first line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        # Its workers end with it, stopped ones too.
        start_new_session=True,
        preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509  (tests have one thread)
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
