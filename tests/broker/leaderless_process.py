"""A process whose first thread has ended while another one lives, in a network namespace of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed import namespace, syscalls
from testbed.waiting import until

_LIBC = ctypes.CDLL(None)


@contextmanager
def leaderless_process(port: int) -> Iterator[tuple[int, int]]:
    """Yield its number, and the inode of its namespace; it listens there on a port of the loopback."""
    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _run(port, writing, parent)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as answer:
        inode = int(answer.readline())
    try:
        until(lambda: _state(pid), lambda state: state == "Z")
        yield pid, inode
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _run(port: int, writing: int, parent: int) -> None:
    syscalls.unshare(syscalls.CLONE_NEWNET)
    namespace.bring_up("lo")
    listener = socket.create_server(("127.0.0.1", port))

    def live() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        listener.close()
        os._exit(0)

    threading.Thread(target=live).start()
    os.write(writing, f"{Path('/proc/self/ns/net').stat().st_ino}\n".encode())
    _LIBC.pthread_exit(None)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
