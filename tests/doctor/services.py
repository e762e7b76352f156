"""Services of tests, each a process of its own."""

from __future__ import annotations

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
def _running(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509  (tests have one thread)
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "listens\n"
        yield process
    finally:
        process.kill()
        process.communicate()
