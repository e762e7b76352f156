r"""Starting the brokers, and starting them again whenever they end.

    exporter (no capability)  <--- socket pair --->  broker (may enter namespaces)
          |                   <--- socket pair --->  file broker (reads what may hang)
          \---- forks, once ----> supervisor --- forks both, each time ---/

The exporter drops its capabilities for good, so it cannot start a broker again that was lost. The supervisor
does nothing else: it hands capabilities on, and has none of them in use. Supervisor and brokers end when the
exporter ends.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final, NoReturn

from exporter import libc
from exporter.broker import file_wire, wire
from exporter.broker.access_timer import AccessTimer
from exporter.broker.capabilities import KILL, Capability
from exporter.broker.confinement import Confinement
from exporter.broker.file_server import ACCESS_SECONDS, CAPABILITIES, serve_files
from exporter.broker.process_name import BROKER, FILE_BROKER, SUPERVISOR
from exporter.broker.report import report
from exporter.broker.server import serve
from exporter.broker.supervised import SupervisedBroker
from exporter.sandbox import profiles

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_STANDARD_STREAMS: Final = 3
_READ_BYTES: Final = 4096

Serve = Callable[[socket.socket], None]
ServeFiles = Callable[[socket.socket, AccessTimer], None]


@dataclass(frozen=True, slots=True)
class StartedBrokers:
    """The sockets to ask the broker and the file broker by, and the process that starts them again.

    `capabilities` are those that the broker of namespaces was given.
    """

    channel: socket.socket
    file_channel: socket.socket
    supervisor: int
    capabilities: frozenset[Capability]


@dataclass(frozen=True, slots=True)
class _Channels:
    """What supervisor and brokers have of the socket pairs, and what the brokers do with it."""

    broker: socket.socket
    files: socket.socket
    serve: Serve
    serve_files: ServeFiles


def start(
    confinement: Confinement, serve: Serve = serve, serve_files: ServeFiles = serve_files
) -> StartedBrokers:
    """Start both brokers, confined to this.

    To be called before there are threads, or sockets that no other process should hold. `serve` and
    `serve_files` are what the brokers do with their sockets. Raises OSError.
    """
    with ExitStack() as opened, ExitStack() as of_children:
        pairs = []
        for _ in range(2):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            opened.enter_context(ours)
            of_children.enter_context(theirs)
            pairs.append((ours, theirs))
        (channel, theirs), (file_channel, file_theirs) = pairs
        exporter = os.getpid()
        supervisor = os.fork()
        if supervisor == 0:
            channels = _Channels(theirs, file_theirs, serve, serve_files)
            kept = [theirs.fileno(), file_theirs.fileno()]
            _run_child(
                exporter,
                SUPERVISOR,
                confinement.confine_supervisor,
                lambda: _Supervisor(channels, confinement, exporter).run(),
                kept,
            )
        opened.pop_all()
    return StartedBrokers(channel, file_channel, supervisor, frozenset(confinement.capabilities))


class _Supervisor:
    """The process that starts brokers. Raises OSError."""

    def __init__(self, channels: _Channels, confinement: Confinement, exporter: int) -> None:
        timer = AccessTimer(ACCESS_SECONDS)
        broker, files = channels.broker, channels.files
        self._brokers = (
            SupervisedBroker(
                lambda: _fork(
                    BROKER,
                    lambda: confinement.confine_broker((*Capability, KILL), profiles.broker(exporter)),
                    lambda: channels.serve(broker),
                    [broker.fileno()],
                ),
                broker,
                lambda failed: wire.pack_reply(wire.BrokerReply(wire.BROKER_ENDED, failed)),
            ),
            SupervisedBroker(
                lambda: _fork(
                    FILE_BROKER,
                    lambda: confinement.confine_broker(CAPABILITIES, profiles.file_broker()),
                    lambda: channels.serve_files(files, timer),
                    [files.fileno(), timer.fileno()],
                ),
                files,
                lambda failed: file_wire.pack_reply(file_wire.FileReply(wire.BROKER_ENDED, failed)),
                timer,
            ),
        )
        # A child that ends wakes poll() by this pipe.
        self._woken, waking = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        self._poll = select.poll()
        for descriptor in (self._woken, timer.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        confinement.filter_system_calls(profiles.supervisor())

    def run(self) -> None:
        """Start brokers, one after the other, until the exporter has closed the broker's socket."""
        while not self._brokers[0].finished:
            for broker in self._brokers:
                broker.run_due(time.monotonic())
            self._wait([due for broker in self._brokers if (due := broker.due()) is not None])
            for broker in self._brokers:
                broker.end_hung(time.monotonic())
            self._reap()

    def _wait(self, dues: Sequence[float]) -> None:
        """Wait until a child ends, a broker hangs, or something is due."""
        milliseconds = max(0.0, min(dues) - time.monotonic()) * 1000 + 1 if dues else None
        self._poll.poll(milliseconds)
        with suppress(BlockingIOError):
            os.read(self._woken, _READ_BYTES)

    def _reap(self) -> None:
        """Take note of children that have ended."""
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                for broker in self._brokers:
                    broker.reaped(pid, time.monotonic())


def _fork(name: str, confine: Callable[[], None], work: Callable[[], None], kept: Collection[int]) -> int:
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _run_child(supervisor, name, confine, work, kept)
    return pid


def _run_child(
    parent: int, name: str, confine: Callable[[], None], work: Callable[[], None], kept: Collection[int]
) -> NoReturn:
    """Do `work` as a child process that is confined, ends with its parent and keeps no descriptors but these.

    It ignores signals that are sent to the whole process group.
    """
    status = 1
    try:
        _close_all_but(kept)
        # The kernel forgets the signal where a process becomes another user.
        confine()
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
        libc.prctl(_PR_SET_NAME, name.encode())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        work()
        status = 0
    except Exception as error:  # noqa: BLE001  (no caller above the fork would report it)
        report(name, f"{type(error).__name__}: {error}")
    finally:
        os._exit(status)


def _close_all_but(kept: Collection[int]) -> None:
    """Close what was inherited; closerange() may try a billion numbers where close_range(2) is missing."""
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  (only names are needed)
        if number >= _STANDARD_STREAMS and number not in kept:
            # The directory that was listed is among them.
            with suppress(OSError):
                os.close(number)
