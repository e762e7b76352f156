"""Hosts for the dashboard, a busy one and an idle one, each with two exporters and a Prometheus."""

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
from tests.deploy.dashboard.prometheus import Prometheus, Server, VictoriaMetrics
from tests.integration import listening_sockets
from tests.integration.metric_values import until_figure
from tests.integration.service import Service

# Of the exporters of the busy host; the idle one has no such label.
CLUSTER = "east"
# Ports by the instance labels.
EXPORTERS = {"web1:10511": 10511, "web2:10511": 10512}
OTHER_NAMESPACE = "shop"
# A file name that, as a regular expression, does not match itself.
REGEX_PATH = r"p(h)p+[1].{2}^$|*?"
FLOODED = f"{listening_sockets.TUN_IPV4}:8443"
WEB, DATABASE = "0.0.0.0:8080", "[::1]:5432"

CONFIG = f"""\
sampling: {{interval: 10ms, cpu_budget: 50%}}
defaults: {{export: full}}
namespaces: {{include: [{OTHER_NAMESPACE}]}}
rules:
  - name: edge
    match: {{port: 8080}}
    accept: {{warning: 30%, critical: 70%}}
  - name: php
    match: {{protocol: unix}}
    accept: {{warning: 1, critical: 2}}
"""
# The alerts that are deployed take minutes to fire.
RULES = """\
groups:
  - name: test
    rules:
      - alert: ListenQueueFull
        expr: listen_queue_accept_utilization_ratio >= 1
"""

# So that no panel is empty, not those of the last row either.
_FULL = "defaults: {export: full}\n"
_BACKLOG = 3
_FLOOD_SYNS = 200
_ACK = 0x10


@contextmanager
def busy_host(folder: Path, kind: type[Prometheus | VictoriaMetrics] = Prometheus) -> Iterator[Server]:
    """A host with full TCP and unix queues, a SYN flood and a second network namespace."""
    with ExitStack() as stack:
        path = folder / REGEX_PATH
        other = stack.enter_context(Namespaces()).named(OTHER_NAMESPACE, process="redis-server")
        other.listen_tcp(6379, backlog=_BACKLOG)
        other.fill_tcp(6379, 2)
        for name, listen in (
            (b"nginx", lambda: [listening_sockets.tcp("0.0.0.0", 8080, _BACKLOG)]),
            (b"postgres", lambda: [listening_sockets.tcp("::1", 5432, 9)]),
            (b"php-fpm", lambda: [listening_sockets.unix(bytes(path), _BACKLOG)]),
        ):
            stack.enter_context(Service(name, listen))
        for address in (*(("127.0.0.1", 8080),) * (_BACKLOG + 1), *(("::1", 5432),) * 4):
            stack.enter_context(socket.create_connection(address, timeout=10))
        for _ in range(_BACKLOG + 1):
            stack.enter_context(_unix_client(path))
        first, second = (stack.enter_context(_start_exporter(port, CONFIG)) for port in EXPORTERS.values())
        server = stack.enter_context(kind(folder, EXPORTERS, RULES, {"cluster": CLUSTER}))
        until(server.ready, equals(wanted=True))
        # The increase of a counter needs a scrape before and after.
        until(lambda: len(server.query('up{job="listen-queue"} == 1')), equals(len(EXPORTERS)))
        _flood(stack, first)
        # The queue is full, so the kernel drops their packets again and again.
        for _ in range(3):
            stack.enter_context(_dropped("127.0.0.1", 8080))
        for daemon in (first, second):
            until_figure(daemon, 3, "accept_limit", port="8080")
        yield server


@contextmanager
def idle_host(folder: Path) -> Iterator[tuple[Prometheus, Daemon]]:
    """A host without connections and exporters with every series; yields the second exporter too."""
    with ExitStack() as stack:
        _, second = (stack.enter_context(running(config=_FULL, port=port)) for port in EXPORTERS.values())
        server = stack.enter_context(Prometheus(folder, EXPORTERS))
        until(server.ready, equals(wanted=True))
        yield server, second


def _start_exporter(port: int, config: str) -> Daemon:
    """An exporter that may enter other namespaces and is ready."""
    daemon = Daemon(config=config, port=port, namespaces=True)
    try:
        return daemon.wait_ready()
    except BaseException as error:
        daemon.__exit__(type(error), error, error.__traceback__)
        raise


def _flood(stack: ExitStack, daemon: Daemon) -> None:
    """Fill a SYN queue, so that clients get cookies; one returns its cookie, another an invalid one."""
    tun = stack.enter_context(flood.Tun())
    stack.enter_context(listening_sockets.tcp(listening_sockets.TUN_IPV4, 8443, 16))
    flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8443, _FLOOD_SYNS)
    stack.enter_context(socket.create_connection((listening_sockets.TUN_IPV4, 8443), timeout=10))
    tun.send(_invalid_cookie(listening_sockets.TUN_IPV4, 8443))
    until_figure(daemon, 1, "netns_syncookies_received_total", netns="host")
    until_figure(daemon, 1, "netns_syncookies_failed_total", netns="host")


def _invalid_cookie(address: str, port: int) -> bytes:
    """The last packet of a handshake, with an invalid cookie: a SYN changed to an ACK."""
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


def _dropped(address: str, port: int) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    client.connect_ex((address, port))
    return client
