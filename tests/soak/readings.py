"""What the exporter uses, and what `ss` and its page show."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from bench.process_memory import fields
from testbed import process_tree
from testbed.page import Page
from tests.soak.growth import Reading
from tests.soak.ports import CHURNED_PORTS, STEADY_PORTS

_OWN: Final = "host"


class Place(NamedTuple):
    """A TCP listener, by the label of its namespace, its address and its port."""

    netns: str
    address: str
    port: str


class Queue(NamedTuple):
    """The accept queue of a listener; the length is None where it changes all the time."""

    length: int | None
    limit: int


def read(at: float, pid: int, log: str, page: str) -> Reading:
    """Read what the processes of an exporter use, by its first one; `log` is what they have written."""
    pids = process_tree.descendants(pid)
    return Reading(
        at=at,
        memory=sum(_memory(each) for each in pids),
        descriptors=sum(_count(f"/proc/{each}/fd") for each in pids),
        threads=sum(_count(f"/proc/{each}/task") for each in pids),
        series=sum(not line.startswith("#") for line in page.splitlines()),
        log_lines=log.count("\n"),
    )


def listeners_by_ss() -> dict[Place, Queue]:
    """Return the TCP listeners of this namespace and of each that a process is in."""
    found = _listeners(_OWN, [])
    for inode, pid in _namespaces().items():
        found |= _listeners(inode, ["nsenter", f"--net=/proc/{pid}/ns/net"])
    return found


def listeners_on(page: Page) -> dict[Place, Queue]:
    """Return the TCP listeners of a page; those that only the program tells apart are one."""
    lengths, limits = (
        _by_place(page, "listen_queue_accept_length"),
        _by_place(page, "listen_queue_accept_limit"),
    )
    return {
        place: _queue(place, lengths[place], limit)
        for place, limit in limits.items()
        if not _is_churned(place)
    }


def _by_place(page: Page, name: str) -> Counter[Place]:
    found: Counter[Place] = Counter()
    for labels, value in page.all(name, protocol="tcp").items():
        by_name = dict(labels)
        found[Place(by_name["netns"], by_name["address"], by_name["port"])] += int(value)
    return found


def _listeners(netns: str, prefix: list[str]) -> dict[Place, Queue]:
    done = subprocess.run([*prefix, "ss", "-Hltn"], capture_output=True, text=True, check=False)
    found: dict[Place, Queue] = {}
    # A namespace that ended meanwhile has no listeners.
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        _, length, limit, local, *_ = line.split()
        address, _, port = local.rpartition(":")
        place = Place(netns, address.strip("[]").replace("*", "::"), port)
        found[place] = _queue(place, int(length), int(limit))
    return {place: queue for place, queue in found.items() if not _is_churned(place)}


def _queue(place: Place, length: int, limit: int) -> Queue:
    steady = place.netns != _OWN or int(place.port) in STEADY_PORTS
    return Queue(length if steady else None, limit)


def _is_churned(place: Place) -> bool:
    return place.netns == _OWN and int(place.port) in CHURNED_PORTS


def _namespaces() -> dict[str, int]:
    """Return a process in each other network namespace, by the inode of that."""
    own = os.readlink("/proc/self/ns/net")  # noqa: PTH115
    found = {}
    for pid in (path.name for path in Path("/proc").iterdir() if path.name.isdecimal()):
        with contextlib.suppress(OSError):
            link = os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115
            if link != own:
                found[link.removeprefix("net:[").removesuffix("]")] = int(pid)
    return found


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError):
        return fields(Path(f"/proc/{pid}/smaps_rollup"))["Pss"]
    return 0


def _count(directory: str) -> int:
    with contextlib.suppress(OSError):
        return len(os.listdir(directory))  # noqa: PTH208
    return 0
