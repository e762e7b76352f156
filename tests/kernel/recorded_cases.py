"""The cases that were recorded: each makes sockets, and yields what the reply has to be decoded to.

What a case yields comes from the calls that made the sockets, and never from a dump.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.kernel.family import TCP, UNIX
from exporter.kernel.sock_diag import accept_wait, mptcp, syn_recv
from testbed import flood, programs, syscalls

Fact = dict[str, str | int | float | bool]

# Of include/uapi/linux/in.h; socket.IPPROTO_MPTCP is not in every Python build.
IPPROTO_MPTCP = 262
LINK_LOCAL = "fe80::1"
# The time between connections whose order of arrival matters.
APART_SECONDS = 0.15
MANY = 300


@dataclass(frozen=True, slots=True)
class RecordedCase:
    """What to make, what to request, and whether as a user without privilege."""

    what: str
    request: bytes
    make: Callable[[], AbstractContextManager[list[Fact]]]
    unprivileged: bool = False
    needs_mptcp: bool = False


def has_mptcp() -> bool:
    """Tell whether this kernel has MPTCP."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError:
        return False
    return True


@contextmanager
def nothing() -> Iterator[list[Fact]]:
    """Make no socket."""
    yield []


@contextmanager
def tcp_listeners() -> Iterator[list[Fact]]:
    """TCP listeners of every kind, on consecutive ports."""
    programs.output("ip", "address", "add", f"{LINK_LOCAL}/64", "dev", "lo", "nodad")
    with ExitStack() as stack:
        facts: list[Fact] = []

        def listen(address: str, backlog: int, protocol: int = 0, **fact: str | int | bool) -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            opened = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, protocol))
            if family == socket.AF_INET6:
                only = int(fact.get("v6only") or 0)
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            if "device" in fact:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, str(fact["device"]).encode())
            port = 8000 + len(facts)
            scope = socket.if_nametoindex("lo") if address == LINK_LOCAL else 0
            opened.bind((address, port, 0, scope) if family == socket.AF_INET6 else (address, port))
            opened.listen(backlog)
            # An IPv6 socket bound to anything but the wildcard receives no IPv4 connection.
            v6only = family == socket.AF_INET6 and address != "::"
            usual: Fact = {"v6only": v6only, "device": "", "length": 0, "drops": 0}
            facts.append({**usual, "address": address, "port": port, "limit": backlog, **fact})
            return opened

        def connect(listener: socket.socket) -> None:
            client = stack.enter_context(socket.socket(listener.family, socket.SOCK_STREAM))
            client.settimeout(0)
            client.connect_ex(listener.getsockname())

        listen("0.0.0.0", 128)
        listen("127.0.0.1", 0)
        listen("::", 4096, v6only=False)
        listen("::", 5, v6only=True)
        listen("::1", 6)
        listen(LINK_LOCAL, 7, device="lo")
        listen("0.0.0.0", 8, device="lo")
        protocol = IPPROTO_MPTCP if has_mptcp() else 0
        listen("127.0.0.1", 9, protocol)
        listen("::1", 10, protocol)
        queued = listen("127.0.0.1", 11, length=3)
        for _ in range(3):
            connect(queued)
        # A backlog of 0 holds one connection, so the second client's SYN is dropped.
        for address in ("127.0.0.1", "::1"):
            full = listen(address, 0, length=1, drops=1)
            connect(full)
            connect(full)
        # A smaller backlog leaves the queue longer than it may become.
        shrunk = listen("127.0.0.1", 4, length=4)
        for _ in range(4):
            connect(shrunk)
        shrunk.listen(1)
        facts[-1]["limit"] = 1
        yield facts


@contextmanager
def mptcp_listeners() -> Iterator[list[Fact]]:
    """An MPTCP listener among others, which the plain dump holds as well."""
    with socket.create_server(("127.0.0.1", 8000)), ExitStack() as stack:
        opened = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP))
        opened.bind(("127.0.0.1", 8001))
        opened.listen(9)
        yield [{"address": "127.0.0.1", "port": 8001}]


@contextmanager
def unix_listeners() -> Iterator[list[Fact]]:
    """Unix listeners of every kind; `name` holds the bytes given to bind(), in hexadecimal.

    `file` is the inode of the socket's file, 0 where it has none. The device has another number each time.
    """
    # An empty folder that every machine has.
    syscalls.mount_empty("/run")
    os.chdir("/run")
    names = (
        b"/run/app.sock",
        b"relative.sock",
        b"/run/new\nline",
        b"\0plain",
        b"\0padded\0\0\0",
        b'\0new\nline"quote"',
    )
    seqpacket = (b"\0\xff\xfe no UTF-8", b"\0with\0NUL\0")
    with ExitStack() as stack:
        facts: list[Fact] = []
        for backlog, name in enumerate((*names, *seqpacket)):
            kind = socket.SOCK_SEQPACKET if name in seqpacket else socket.SOCK_STREAM
            opened = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            opened.bind(name)
            opened.listen(backlog)
            for _ in range(min(backlog, 2)):
                client = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
                client.connect(name)
            file = 0 if name.startswith(b"\0") else Path(os.fsdecode(name)).stat().st_ino
            facts.append({"name": name.hex(), "length": min(backlog, 2), "limit": backlog, "file": file})
        # The same name again, in another folder.
        Path("folder").mkdir()
        os.chdir("folder")
        other = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        other.bind("relative.sock")
        other.listen(64)
        file = Path("relative.sock").stat().st_ino
        facts.append({"name": b"relative.sock".hex(), "length": 0, "limit": 64, "file": file})
        yield facts


@contextmanager
def syn_recv_connections() -> Iterator[list[Fact]]:
    """Half-open connections over IPv4, over IPv6, and over both at one dual-stack listener."""
    with flood.Tun() as tun, ExitStack() as stack:
        ipv4, ipv6 = str(tun.ipv4.ip), str(tun.ipv6.ip)
        stack.enter_context(socket.create_server((ipv4, 8000), backlog=100))
        stack.enter_context(socket.create_server((ipv6, 8001), family=socket.AF_INET6, backlog=100))
        dual = socket.create_server(("::", 8002), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
        stack.enter_context(dual)
        facts: list[Fact] = []
        floods = ((ipv4, 8000, 5), (ipv6, 8001, 6), (ipv4, 8002, 7), (ipv6, 8002, 8))
        for address, port, count in floods:
            flood.syn_flood(tun, address, port, count)
            mapped = "::ffff:" if port == 8002 and address == ipv4 else ""
            facts.append({"address": mapped + address, "port": port, "count": count})
        yield facts


@contextmanager
def waiting() -> Iterator[list[Fact]]:
    """Connections before accept() on three ports; a fourth has accepted its only one."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", port), backlog=20))
            for port in (8000, 8001, 8003)
        ]
        family = socket.AF_INET6
        servers.append(stack.enter_context(socket.create_server(("::1", 8002), family=family, backlog=20)))
        since: dict[int, float] = {}

        def connect(number: int) -> socket.socket:
            server = servers[number]
            client = stack.enter_context(socket.socket(server.family, socket.SOCK_STREAM))
            client.connect(server.getsockname())
            since.setdefault(number, time.monotonic())
            return client

        connect(2)
        stack.enter_context(servers[2].accept()[0])
        connect(0)
        # A client that closes leaves its connection in CLOSE_WAIT, and in the queue.
        connect(1).close()
        time.sleep(APART_SECONDS)
        connect(0)
        connect(3)
        time.sleep(APART_SECONDS)
        connect(3)
        now = time.monotonic()
        yield [
            {"address": address, "port": port, "seconds": round(now - since[number], 3)}
            for address, port, number in (("127.0.0.1", 8000, 0), ("127.0.0.1", 8001, 1), ("::1", 8002, 3))
        ]


@contextmanager
def many() -> Iterator[list[Fact]]:
    """More listeners than one datagram can hold, their ports and their backlogs counted up from the first."""
    with ExitStack() as stack:
        for port in range(8000, 8000 + MANY):
            address, family = (("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET))[port % 2]
            stack.enter_context(socket.create_server((address, port), family=family, backlog=port - 7999))
        yield [{"port": 8000, "limit": 1, "count": MANY}]


_WAITING_PORTS = (8000, 8001, 8002, 8003)

CASES = {
    "tcp_listeners": RecordedCase("TCP listeners of every kind", TCP.rows.requests[0], tcp_listeners),
    "tcp_listeners_many": RecordedCase(
        f"{MANY} TCP listeners of both families, in several datagrams", TCP.rows.requests[0], many
    ),
    "mptcp_listeners": RecordedCase(
        "the MPTCP listeners of IPv4", mptcp.request(socket.AF_INET), mptcp_listeners, needs_mptcp=True
    ),
    "unix_listeners": RecordedCase("unix listeners of every kind", UNIX.rows.requests[0], unix_listeners),
    "syn_recv": RecordedCase(
        "half-open connections of IPv4, IPv6 and IPv4 mapped into IPv6",
        syn_recv.REQUEST,
        syn_recv_connections,
    ),
    "waiting": RecordedCase(
        "connections that wait for accept in ESTABLISHED and CLOSE_WAIT, one accepted, by root",
        accept_wait.request_at_ports(_WAITING_PORTS),
        waiting,
    ),
    "waiting_unprivileged": RecordedCase(
        "the same without CAP_NET_ADMIN: the kernel leaves INET_DIAG_MARK out",
        accept_wait.request_at_ports(_WAITING_PORTS),
        waiting,
        unprivileged=True,
    ),
    "empty": RecordedCase("a dump of nothing", syn_recv.REQUEST, nothing),
    "error": RecordedCase(
        "NLMSG_ERROR with ENOENT: SOCK_DIAG_BY_FAMILY knows no address family 0",
        mptcp.request(0),
        nothing,
    ),
    "error_in_done": RecordedCase(
        "an empty dump whose NLMSG_DONE says ENOENT: the kernel has no handler for IPPROTO_EGP",
        mptcp.request(socket.AF_INET)[:-4] + b"\x08\0\0\0",
        nothing,
    ),
}
