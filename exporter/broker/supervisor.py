r"""Starting the broker, and starting it again whenever it ends.

    exporter (no capability)  <--- socket pair --->  broker (may enter namespaces)
          \---- forks, once ----> supervisor --- forks, each time ---/

The exporter drops its capabilities for good, so it cannot start a broker again that was lost. The supervisor
does nothing else. Supervisor and broker end when the exporter ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, NoReturn

from exporter.broker import wire
from exporter.broker.capabilities import Capability, keep_only
from exporter.broker.server import serve

# The names of the two processes, as ps(1) shows them; the kernel keeps 15 bytes.
SUPERVISOR: Final = "lqe-supervisor"
BROKER: Final = "lqe-broker"
_MIN_PAUSE_SECONDS: Final = 0.1
_MAX_PAUSE_SECONDS: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_STANDARD_STREAMS: Final = 3

Serve = Callable[[socket.socket], None]


def start(capabilities: Collection[Capability], serve: Serve = serve) -> socket.socket:
    """Start a broker with these capabilities and return the socket to ask it by.

    To be called before there are threads, or sockets that no other process should hold. `serve` is what the
    broker does with its socket. Raises OSError.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    exporter = os.getpid()
    if os.fork() == 0:
        _run_child(exporter, SUPERVISOR, lambda: _supervise(theirs, capabilities, serve), theirs)
    theirs.close()
    return ours


def _supervise(channel: socket.socket, capabilities: Collection[Capability], serve: Serve) -> None:
    """Start brokers, one after the other, until one has ended because the exporter is gone."""
    keep_only(capabilities)
    supervisor = os.getpid()
    pause = _MIN_PAUSE_SECONDS
    while True:
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _run_child(supervisor, BROKER, lambda: serve(channel), channel)
        _, status = os.waitpid(pid, 0)
        if status == 0:
            return
        try:
            channel.send(wire.pack_reply(wire.BrokerReply(wire.BROKER_ENDED)))
        except BrokenPipeError:
            return
        # The pause doubles where brokers end soon after they have started.
        pause = _MIN_PAUSE_SECONDS if time.monotonic() - started > _MAX_PAUSE_SECONDS else pause * 2
        time.sleep(min(pause, _MAX_PAUSE_SECONDS))


def _run_child(parent: int, name: str, work: Callable[[], None], channel: socket.socket) -> NoReturn:
    """Do `work` as a child process that ends with its parent and keeps no descriptor but the channel.

    It ignores signals that are sent to the whole process group.
    """
    status = 1
    try:
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)
        libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _close_all_but(channel.fileno())
        work()
        status = 0
    except Exception as error:  # noqa: BLE001  (no caller above the fork would report it)
        os.write(2, f"listen-queue-exporter: {name}: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _close_all_but(kept: int) -> None:
    """Close what was inherited; closerange() may try a billion numbers where close_range(2) is missing."""
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  (only names are needed)
        if number >= _STANDARD_STREAMS and number != kept:
            # The directory that was listed is among them.
            with suppress(OSError):
                os.close(number)
