"""A broker that runs as it does beside the exporter, and its processes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.broker import supervisor
from exporter.broker.capabilities import Capability
from exporter.broker.confinement import Confinement
from exporter.broker.process_name import BROKER, FILE_BROKER, SUPERVISOR
from exporter.broker.server import serve
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.opened import OpenedDescriptors
from testbed.waiting import until


@contextmanager
def running_broker(
    capabilities: Collection[Capability] = tuple(Capability),
    serve: Callable[[socket.socket], None] = serve,
    timeout_seconds: float = 10,
    client: type[BrokerClient] = BrokerClient,
) -> Iterator[BrokerClient]:
    """Start a supervisor and a broker, and end both.

    The broker has more time to answer than the exporter gives it, since the machine may be busy.
    """
    started = supervisor.start(Confinement(capabilities), serve)
    asking = client(started.channel, timeout_seconds=timeout_seconds)
    supervising = started.supervisor
    try:
        yield asking
    finally:
        asking.close()
        until(lambda: state(supervising), lambda letter: letter in {"Z", ""})
        os.waitpid(supervising, 0)


def supervisor_of(exporter: int) -> int:
    """Return the supervisor that a process started last."""
    return max(wait_for_child(exporter, SUPERVISOR))


def wait_for_brokers() -> None:
    """Return when both run: one that is forked later may take the number that a process is to get."""
    wait_for_child(supervisor_of(os.getpid()), FILE_BROKER)


def broker_of(supervising: int) -> int:
    """Return the broker that a supervisor runs now."""
    return wait_for_child(supervising, BROKER)[0]


def processes(exporter: int) -> dict[str, int]:
    """The processes of an exporter by the names that they have in its metrics."""
    supervisor = supervisor_of(exporter)
    return {
        "exporter": exporter,
        "supervisor": supervisor,
        "broker": broker_of(supervisor),
        "file_broker": wait_for_child(supervisor, FILE_BROKER)[0],
    }


def wait_for_child(parent: int, name: str) -> list[int]:
    """Return the children of a process with this name, once there is one."""

    def found() -> list[int]:
        return [child for child, of, called in _processes() if (of, called) == (parent, name)]

    return until(found, bool)


def parents() -> set[int]:
    """Return the parents of all processes that run."""
    return {parent for _, parent, _ in _processes()}


def state(pid: int) -> str:
    """Return the letter of a process's state; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def status(pid: int | str) -> dict[str, str]:
    """Return the lines of /proc/<pid>/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def open_one(broker: BrokerClient, target: NamespaceTarget) -> OpenedDescriptors:
    """Return what was opened in one namespace. Raises OSError."""
    (opened,) = broker.enter([target])
    if isinstance(opened, OSError):
        raise opened
    return opened


def _processes() -> Iterator[tuple[int, int, str]]:
    """Yield every process that runs, with its parent and its name."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            head, _, tail = (directory / "stat").read_text(errors="replace").rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        letter, parent = tail.split()[:2]
        if letter not in "ZX":
            yield int(directory.name), int(parent), head.partition("(")[2]
