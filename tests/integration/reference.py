"""The listeners of this namespace by `ss`, by /proc/net, and by the exporter's page and its command `show`.

All are in one form: for each address and port the sockets that listen there, added up.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from testbed import privileges, programs, syscalls
from testbed.page import Page
from testbed.waiting import DEADLINE_SECONDS
from tests.integration.metric_values import Served

_ROOT = Path(__file__).resolve().parents[2]
_LOCAL = re.compile(r"\[?(?P<address>[^\]%]*?)\]?(?P<device>%\w+)?:(?P<port>\d+)")
_DROPS = re.compile(r",d(\d+)\)")
_SO_ACCEPTCON = 0x10000


class Endpoint(NamedTuple):
    """Where sockets listen, by the exporter's labels."""

    protocol: str
    address: str
    port: str


class Figures(NamedTuple):
    """The values of the sockets at one address; None where the source does not have them."""

    sockets: float
    length: float
    limit: float | None
    ratio: float | None
    drops: float | None


class _Socket(NamedTuple):
    endpoint: Endpoint
    length: int
    limit: int
    drops: int | None


@contextmanager
def within(pid: int) -> Iterator[None]:
    """Enter the network namespace of a process until the end; sockets and processes made there stay in it."""
    with open("/proc/self/ns/net") as own, open(f"/proc/{pid}/ns/net") as other:  # noqa: PTH123
        syscalls.call("setns", other.fileno(), syscalls.CLONE_NEWNET)
        try:
            yield
        finally:
            syscalls.call("setns", own.fileno(), syscalls.CLONE_NEWNET)


def from_ss() -> dict[Endpoint, Figures]:
    """`ss -ltnm` and `ss -lxn`; names of unix sockets must hold no blank."""
    return _added_up([*_ss_tcp(), *_ss_unix()])


def from_page(served: Served) -> dict[Endpoint, Figures]:
    """The exporter's page."""
    return of_namespace(served.metrics())


def of_namespace(page: Page, **netns: str) -> dict[Endpoint, Figures]:
    """A page, or what it has of one namespace."""

    def of(name: str) -> dict[Endpoint, float]:
        found = page.all(f"listen_queue_{name}", **netns)
        return {_endpoint(dict(labels)): value for labels, value in found.items()}

    sockets, lengths, limits = of("sockets"), of("accept_length"), of("accept_limit")
    ratios, drops = of("accept_utilization_ratio"), of("drops_total")
    return {
        endpoint: Figures(
            count, lengths[endpoint], limits.get(endpoint), ratios.get(endpoint), drops.get(endpoint)
        )
        for endpoint, count in sockets.items()
    }


def from_show() -> dict[Endpoint, Figures]:
    """The command `show --json`."""
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "show", "--json"],
        cwd=_ROOT,
        capture_output=True,
        check=True,
        timeout=DEADLINE_SECONDS,
        preexec_fn=privileges.deny_other_namespaces,  # tests have one thread
    )
    return of_rows(json.loads(done.stdout))


def of_rows(rows: Iterable[Mapping[str, Any]]) -> dict[Endpoint, Figures]:
    """Rows that `show --json` printed."""
    return {
        _endpoint(row): Figures(
            row["sockets"],
            row["accept_length"],
            row["accept_limit"],
            row["accept_utilization_ratio"],
            row["drops_total"],
        )
        for row in rows
    }


def from_proc() -> dict[Endpoint, tuple[int, int | None]]:
    """How many sockets and waiting connections /proc/net has; it has no devices and no unix queues."""
    found: dict[Endpoint, tuple[int, int | None]] = {}
    # A kernel that was started without IPv6 has no tcp6.
    for file in filter(Path.exists, (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))):
        for line in file.read_text().splitlines()[1:]:
            _, local, _, state, queues, *_ = line.split()
            if state == "0A":
                endpoint = _proc_endpoint(local)
                sockets, length = found.get(endpoint, (0, 0))
                found[endpoint] = (sockets + 1, (length or 0) + int(queues.partition(":")[2], 16))
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, _, name = [*line.split(maxsplit=7), ""][:8]
        if int(flags, 16) & _SO_ACCEPTCON:
            endpoint = Endpoint("unix", _absolute(name), "")
            found[endpoint] = (found.get(endpoint, (0, None))[0] + 1, None)
    return found


def as_in_proc(figures: Mapping[Endpoint, Figures]) -> dict[Endpoint, tuple[int, int | None]]:
    """What /proc shows of these figures."""
    found: dict[Endpoint, tuple[int, int | None]] = {}
    for endpoint, known in figures.items():
        without_device = endpoint._replace(address=endpoint.address.partition("%")[0])
        sockets, length = found.get(without_device, (0, 0))
        waiting = None if endpoint.protocol == "unix" else int(known.length) + (length or 0)
        found[without_device] = (sockets + int(known.sockets), waiting)
    return found


def syn_recv() -> int:
    """How many half-open connections `ss` sees."""
    return len(programs.output("ss", "-Htn", "state", "syn-recv").splitlines())


def syn_recv_of(listener: socket.socket) -> int:
    """How many half-open connections hold a reference to this very socket, while none waits for accept."""
    return int(_in_proc(listener)[10]) - 1


def accept_length_of(listener: socket.socket) -> int:
    """How many connections wait in the accept queue of this very socket, by /proc."""
    return int(_in_proc(listener)[4].partition(":")[2], 16)


def _in_proc(listener: socket.socket) -> list[str]:
    """The columns of a TCP socket in /proc/net/tcp or tcp6."""
    inode = str(os.fstat(listener.fileno()).st_ino)
    name = "tcp" if listener.family == socket.AF_INET else "tcp6"
    for line in Path("/proc/net", name).read_text().splitlines()[1:]:
        columns = line.split()
        if columns[9] == inode:
            return columns
    raise LookupError(f"/proc/net/{name} has no socket {inode}")


def _ss_tcp() -> Iterable[_Socket]:
    for line in programs.output("ss", "-HOltnm").splitlines():
        _, length, limit, local, _, memory = line.split()
        parts = _LOCAL.fullmatch(local)
        drops = _DROPS.search(memory)
        assert parts is not None, line
        assert drops is not None, line
        address = _unmapped(parts["address"].replace("*", "::")) + (parts["device"] or "")
        endpoint = Endpoint("tcp", address, parts["port"])
        yield _Socket(endpoint, int(length), int(limit), int(drops[1]))


def _ss_unix() -> Iterable[_Socket]:
    for line in programs.output("ss", "-Hlxn").splitlines():
        kind, _, length, limit, name, *_ = line.split()
        if kind != "u_dgr":
            yield _Socket(Endpoint("unix", _absolute(name), ""), int(length), int(limit), None)


def _absolute(name: str) -> str:
    """Return the address of a name that the test has bound; a relative path is one in its directory."""
    return name if name.startswith("@") else str(Path(name).absolute())


def _added_up(sockets: Iterable[_Socket]) -> dict[Endpoint, Figures]:
    endpoints: dict[Endpoint, list[_Socket]] = {}
    for each in sockets:
        endpoints.setdefault(each.endpoint, []).append(each)
    return {
        endpoint: Figures(
            len(group),
            sum(each.length for each in group),
            sum(each.limit for each in group),
            max(each.length / (each.limit + 1) for each in group),
            sum(each.drops or 0 for each in group) if endpoint.protocol == "tcp" else None,
        )
        for endpoint, group in endpoints.items()
    }


def _endpoint(labels: Mapping[str, str]) -> Endpoint:
    return Endpoint(labels["protocol"], labels["address"], labels["port"])


def _proc_endpoint(local: str) -> Endpoint:
    address, _, port = local.partition(":")
    words = [struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return Endpoint("tcp", _unmapped(socket.inet_ntop(family, b"".join(words))), str(int(port, 16)))


def _unmapped(address: str) -> str:
    """An IPv4 address that is mapped into IPv6 as the IPv4 address."""
    return address.removeprefix("::ffff:") if "." in address else address
