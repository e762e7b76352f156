"""Connections in SYN_RECV: SYN packets of clients that never answer, written to a TUN device."""

from __future__ import annotations

import fcntl
import ipaddress
import itertools
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from testbed import programs
from testbed.waiting import until

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
# Packets wait in a queue of the device, which has no limit: the one of the CPU drops what exceeds
# net.core.netdev_max_backlog (drivers/net/tun.c, tun_get_user).
_IFF_NAPI = 0x0010
_IFF_NO_PI = 0x1000

_SNMP_BYTES = 65_536
_TCP = 6
_FIRST_PORT = 1024
_PORTS = 60_000

_IPV4_HEADER = struct.Struct("!BBHHHBBH4s4s")
_IPV6_HEADER = struct.Struct("!IHBB16s16s")
_TCP_HEADER = struct.Struct("!HHIIBBHHH")
# Flags and sequence number, which are those of every client.
_SYN = (0x02, 1)
_RST = (0x04, 2)
_FIVE_WORDS = 5 << 4

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Tun:
    """A TUN device of this namespace, up, with an address of each family; it goes when closed."""

    ipv4 = ipaddress.IPv4Interface("10.99.0.1/16")
    ipv6 = ipaddress.IPv6Interface("fd99::1/64")

    def __init__(self, name: str = "flood0") -> None:
        self.name = name
        try:
            self._handle = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        except OSError as refused:
            pytest.skip(f"no TUN device: {refused}")
        request = struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NAPI | _IFF_NO_PI)
        fcntl.ioctl(self._handle, _TUNSETIFF, request)
        # Of the network namespace in which it is opened, wherever it is read.
        self._snmp = os.open("/proc/net/snmp", os.O_RDONLY | os.O_CLOEXEC)
        programs.output("ip", "address", "add", str(self.ipv4), "dev", name)
        programs.output("ip", "link", "set", name, "up")
        # Not there with ipv6.disable=1.
        if Path("/proc/net/if_inet6").exists():
            self.add_ipv6(self.ipv6)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)
        os.close(self._snmp)

    def add_ipv6(self, address: ipaddress.IPv6Interface) -> None:
        """Give the device an address, and return when the kernel takes packets for it."""
        programs.output("ip", "address", "add", str(address), "dev", self.name, "nodad")
        # The route is made by a work queue (net/ipv6/addrconf.c, addrconf_dad_work).
        until(
            lambda: programs.output("ip", "-6", "route", "show", "table", "local"),
            lambda routes: f"local {address.ip} " in routes,
        )

    def tcp_counter(self, name: str) -> int:
        """A counter of TCP in the namespace of the device, by its name in /proc/net/snmp."""
        names, values = (
            line.split()
            for line in os.pread(self._snmp, _SNMP_BYTES, 0).decode().splitlines()
            if line.startswith("Tcp:")
        )
        return int(values[names.index(name)])

    def wait_for_pause(self, connections: int) -> None:
        """Wait until the SYN-ACKs of so many connections, which is all that there are, were just sent again.

        The next is 8 seconds away at least. When it would send that, the kernel forgets a half-open
        connection whose listener has closed: the fourth SYN-ACK is sent 8 seconds after the third, and each
        of the following ones waits twice as long.
        """
        rounds = max(3, self.tcp_counter("RetransSegs") // connections + 1)
        until(lambda: self.tcp_counter("RetransSegs"), lambda sent: sent >= rounds * connections)

    def send(self, packet: bytes) -> None:
        """Have the kernel receive one IP packet through this device."""
        os.write(self._handle, packet)


def syn_flood(tun: Tun, destination: str, port: int, count: int, *, first: int = 0) -> None:
    """Send a SYN to `destination` from `count` clients, and return when the kernel has received them all.

    The destination is an address of `tun`; packets for a loopback address would be dropped as martians. One
    that is mapped into IPv6 is reached over IPv4.
    Client numbers start at `first`: floods that do not overlap add up. The kernel keeps no more
    connections in SYN_RECV than the listener's backlog + 1, and keeps them for a minute, or for 7 seconds
    where they are more than half of the backlog (net/ipv4/inet_connection_sock.c, reqsk_timer_handler).
    """
    _send_from_clients(tun, destination, port, range(first, first + count), _SYN)


def end_syn_flood(tun: Tun, destination: str, port: int, count: int, *, first: int = 0) -> None:
    """Have the clients of a flood reset their connections, which the kernel forgets (tcp_check_req)."""
    _send_from_clients(tun, destination, port, range(first, first + count), _RST)


def _send_from_clients(tun: Tun, destination: str, port: int, clients: range, kind: tuple[int, int]) -> None:
    address = ipaddress.ip_address(destination)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    received = tun.tcp_counter("InSegs")
    for client, client_port in itertools.islice(_clients(tun, address), clients.start, clients.stop):
        tun.send(_packet(client, client_port, address, port, kind))
    until(lambda: tun.tcp_counter("InSegs"), lambda now: now >= received + len(clients))


def syn(source: _Address, source_port: int, destination: _Address, port: int) -> bytes:
    """One SYN packet, IP header and checksums included."""
    return _packet(source, source_port, destination, port, _SYN)


def _packet(
    source: _Address, source_port: int, destination: _Address, port: int, kind: tuple[int, int]
) -> bytes:
    ends = source.packed + destination.packed
    flags, sequence = kind
    segment = _TCP_HEADER.pack(source_port, port, sequence, 0, _FIVE_WORDS, flags, 0xFFFF, 0, 0)
    check = _checksum(ends + struct.pack("!HH", _TCP, len(segment)) + segment)
    segment = segment[:16] + check + segment[18:]
    if destination.version == 6:
        return _IPV6_HEADER.pack(6 << 28, len(segment), _TCP, 64, source.packed, destination.packed) + segment
    length = _IPV4_HEADER.size + len(segment)
    header = _IPV4_HEADER.pack(0x45, 0, length, 0, 0, 64, _TCP, 0, source.packed, destination.packed)
    return header[:10] + _checksum(header) + header[12:] + segment


def _clients(tun: Tun, destination: _Address) -> Iterator[tuple[_Address, int]]:
    own = tun.ipv4 if destination.version == 4 else tun.ipv6
    for host in itertools.count(1):
        for client_port in range(_FIRST_PORT, _FIRST_PORT + _PORTS):
            yield own.ip + host, client_port


def _checksum(data: bytes) -> bytes:
    """RFC 1071; every part summed here has an even length."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
