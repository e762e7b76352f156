r"""Starting the broker, and starting it again whenever it ends.

    exporter (no capability)  <--- socket pair --->  broker (may enter namespaces)
          \---- forks, once ----> keeper ---- forks, each time ----/

The exporter gives its capabilities away for good, so somebody else has to start a broker that was
lost. The keeper does nothing else. All of them end with the exporter.
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

_AGAIN_SECONDS: Final = 0.1
_STEADY_SECONDS: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_STANDARD_STREAMS: Final = 3


def start(wanted: Collection[Capability], run: Callable[[socket.socket], None] = serve) -> socket.socket:
    """Start a broker with these capabilities and return the socket to talk to it.

    To be called before there are threads or sockets that nobody else should hold. `run` is for tests.
    Raises OSError.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    exporter = os.getpid()
    if os.fork() == 0:
        _child(exporter, "lqe-keeper", lambda: _keep(theirs, wanted, run), theirs)
    theirs.close()
    return ours


def _keep(
    channel: socket.socket, wanted: Collection[Capability], run: Callable[[socket.socket], None]
) -> None:
    """Have a broker running until one ends because the exporter is gone."""
    keep_only(wanted)
    supervisor = os.getpid()
    pause = _AGAIN_SECONDS
    while True:
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _child(supervisor, "lqe-broker", lambda: run(channel), channel)
        _, status = os.waitpid(pid, 0)
        if status == 0:
            return
        try:
            channel.send(wire.pack_reply(wire.BrokerReply(wire.BROKER_ENDED)))
        except BrokenPipeError:
            return
        # One that ends as soon as it has started is given more and more time.
        pause = _AGAIN_SECONDS if time.monotonic() - started > _STEADY_SECONDS else pause * 2
        time.sleep(min(pause, _STEADY_SECONDS))


def _child(parent: int, name: str, work: Callable[[], None], channel: socket.socket) -> NoReturn:
    """Be a child that ends with its parent, hears no signal meant for it, and holds nothing of its own."""
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
    except Exception as error:  # noqa: BLE001  (nobody above this fork would say what happened)
        os.write(2, f"listen-queue-exporter: {name}: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _close_all_but(kept: int) -> None:
    """Close what was inherited; closerange() may try a billion numbers where close_range(2) is missing."""
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  (names are all that is needed)
        if number >= _STANDARD_STREAMS and number != kept:
            # The directory itself was among them.
            with suppress(OSError):
                os.close(number)
