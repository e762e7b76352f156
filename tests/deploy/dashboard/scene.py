"""A host on which everything happens that the dashboard shows, with two exporters and a Prometheus."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from testbed import flood
from testbed.daemon import Daemon, running
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.deploy.dashboard.prometheus import Prometheus
from tests.integration import listening_sockets
from tests.integration.metric_values import until_figure
from tests.integration.service import Service

# Names as Prometheus has them, and the ports behind.
EXPORTERS = {"web1:10511": 10511, "web2:10511": 10512}
NEIGHBOUR = "shop"
# A path that is a pattern too, which would not match itself.
ODD = r"p(h)p+[1].{2}^$|*?"
FLOODED = f"{listening_sockets.TUN_IPV4}:8443"
WEB, DATABASE = "0.0.0.0:8080", "[::1]:5432"

CONFIG = f"""\
sampling: {{interval: 10ms, cpu_budget: 50%}}
namespaces: {{include: [{NEIGHBOUR}]}}
rules:
  - name: edge
    match: {{port: 8080}}
    accept: {{warning: 30%, critical: 70%}}
  - name: php
    match: {{protocol: unix}}
    accept: {{warning: 1, critical: 2}}
"""
# Stands for the alerts of a real installation, which need minutes.
RULES = """\
groups:
  - name: test
    rules:
      - alert: ListenQueueFull
        expr: listen_queue_accept_utilization_ratio >= 1
"""

_BACKLOG = 3
_FLOOD = 200
_ACK = 0x10


@contextmanager
def busy(folder: Path) -> Iterator[Prometheus]:
    """Full queues over TCP and unix, a SYN flood, and a second network namespace, all of it scraped."""
    with ExitStack() as stack:
        odd = folder / ODD
        neighbour = stack.enter_context(Namespaces()).named(NEIGHBOUR, process="redis-server")
        neighbour.listen_tcp(6379, backlog=_BACKLOG)
        neighbour.fill_tcp(6379, 2)
        for name, listen in (
            (b"nginx", lambda: [listening_sockets.tcp("0.0.0.0", 8080, _BACKLOG)]),
            (b"postgres", lambda: [listening_sockets.tcp("::1", 5432, 9)]),
            (b"php-fpm", lambda: [listening_sockets.unix(bytes(odd), _BACKLOG)]),
        ):
            stack.enter_context(Service(name, listen))
        for address in (*(("127.0.0.1", 8080),) * (_BACKLOG + 1), *(("::1", 5432),) * 4):
            stack.enter_context(socket.create_connection(address, timeout=10))
        for _ in range(_BACKLOG + 1):
            stack.enter_context(_unix_client(odd))
        first, second = (stack.enter_context(watching_at(port, CONFIG)) for port in EXPORTERS.values())
        server = stack.enter_context(Prometheus(folder, EXPORTERS, RULES))
        until(server.ready, equals(wanted=True))
        # Counters grow between two scrapes only.
        until(lambda: len(server.query('up{job="listen-queue"} == 1')), equals(len(EXPORTERS)))
        _flood(stack, first)
        # The queue is full, so that the kernel refuses these again and again.
        for _ in range(3):
            stack.enter_context(_refused("127.0.0.1", 8080))
        for daemon in (first, second):
            until_figure(daemon, 3, "accept_limit", port="8080")
        yield server


@contextmanager
def idle(folder: Path) -> Iterator[tuple[Prometheus, Daemon]]:
    """A host without any load, on defaults; with it the second exporter."""
    with ExitStack() as stack:
        _, second = (stack.enter_context(running(port=port)) for port in EXPORTERS.values())
        server = stack.enter_context(Prometheus(folder, EXPORTERS))
        until(server.ready, equals(wanted=True))
        yield server, second


def watching_at(port: int, config: str) -> Daemon:
    """An exporter that may enter other namespaces and is ready, for use in `with`."""
    daemon = Daemon(config=config, port=port, namespaces=True)
    try:
        return daemon.wait_ready()
    except BaseException as error:
        daemon.__exit__(type(error), error, error.__traceback__)
        raise


def _flood(stack: ExitStack, daemon: Daemon) -> None:
    """Fill a SYN queue, so that clients get cookies; one brings its own back, another a wrong one."""
    tun = stack.enter_context(flood.Tun())
    stack.enter_context(listening_sockets.tcp(listening_sockets.TUN_IPV4, 8443, 16))
    flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8443, _FLOOD)
    stack.enter_context(socket.create_connection((listening_sockets.TUN_IPV4, 8443), timeout=10))
    tun.send(_wrong_cookie(listening_sockets.TUN_IPV4, 8443))
    until_figure(daemon, 1, "netns_syncookies_received_total", netns="host")
    until_figure(daemon, 1, "netns_syncookies_failed_total", netns="host")


def _wrong_cookie(address: str, port: int) -> bytes:
    """The last packet of a handshake that never was: a SYN made into an ACK of what nobody sent."""
    client, server = ipaddress.ip_address("10.99.9.9"), ipaddress.ip_address(address)
    packet = flood.syn(client, 9999, server, port)
    header, segment = packet[:20], bytearray(packet[20:])
    segment[8:12] = b"nope"
    segment[13] = _ACK
    segment[16:18] = bytes(2)
    summed = client.packed + server.packed + struct.pack("!HH", socket.IPPROTO_TCP, len(segment)) + segment
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    segment[16:18] = struct.pack("!H", ~(total + total // 0xFFFF) & 0xFFFF)
    return header + bytes(segment)


def _unix_client(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(bytes(path))
    return client


def _refused(address: str, port: int) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    client.connect_ex((address, port))
    return client
