"""The exporter's side of a test: a broker that was started, and the processes behind it."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.broker import supervisor
from exporter.broker.capabilities import Capability
from exporter.broker.server import serve
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.netns.broker_client import BrokerClient, OpenedDescriptors
from tests.broker.namespaced_process import until


@contextmanager
def brokered(
    wanted: Collection[Capability] = tuple(Capability),
    run: Callable[[socket.socket], None] = serve,
    patience_seconds: int = 10,
) -> Iterator[BrokerClient]:
    """Start a broker and let it go at the end, with its keeper.

    It is waited for longer than the exporter would, since a busy machine is no reason for a test to fail.
    """
    channel = supervisor.start(wanted, run)
    broker = BrokerClient(channel)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", patience_seconds, 0))
    kept_by = keeper_of(os.getpid())
    try:
        yield broker
    finally:
        broker.close()
        until(lambda: state(kept_by) in {"Z", ""})
        os.waitpid(kept_by, 0)


def keeper_of(exporter: int) -> int:
    """The keeper that this process started last."""
    return max(wait_for_child(exporter, "lqe-keeper"))


def broker_of(kept_by: int) -> int:
    """The broker that a keeper runs now."""
    return wait_for_child(kept_by, "lqe-broker")[0]


def wait_for_child(parent: int, name: str) -> list[int]:
    """The children of a process with this name, once there is one."""
    found: list[int] = []

    def there() -> bool:
        found[:] = [child for child, of, called in _processes() if of == parent and called == name]
        return bool(found)

    until(there)
    return found


def parents() -> set[int]:
    """The parents of all processes that live."""
    return {parent for _, parent, _ in _processes()}


def state(pid: int) -> str:
    """The letter of a process's state; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def status(pid: int | str) -> dict[str, str]:
    """The lines of /proc/<pid>/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def one(broker: BrokerClient, target: NamespaceTarget) -> OpenedDescriptors:
    """What was opened in one namespace."""
    (opened,) = broker.enter([target])
    if isinstance(opened, OSError):
        raise opened
    return opened


def _processes() -> Iterator[tuple[int, int, str]]:
    """Every process that lives, with its parent and its name."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            head, _, tail = (directory / "stat").read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        letter, parent = tail.split()[:2]
        if letter not in "ZX":
            yield int(directory.name), int(parent), head.partition("(")[2]
