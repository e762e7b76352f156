"""Connections of the clients of one listener, added up by address and by network."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exporter.kernel.records import IPV4_MAPPED_PREFIX

# By the length of an address in bytes: its family, and how many bytes the prefix of a network has.
_FAMILIES: Final = {4: socket.AF_INET, 16: socket.AF_INET6}
_PREFIX_BYTES: Final = {4: 3, 16: 8}

Document = dict[str, Any]


@dataclass(slots=True)
class _Count:
    """`waiting` for accept, the oldest since so many seconds, and half-open."""

    waiting: int = 0
    syn_recv: int = 0
    oldest_seconds: float = 0.0
    addresses: int = 0

    def add(self, waiting: int, syn_recv: int, oldest_seconds: float) -> None:
        self.waiting += waiting
        self.syn_recv += syn_recv
        self.oldest_seconds = max(self.oldest_seconds, oldest_seconds)

    def document(self) -> Document:
        oldest = round(self.oldest_seconds, 3) if self.waiting else None
        return {"waiting": self.waiting, "syn_recv": self.syn_recv, "oldest_wait_seconds": oldest}


class ClientCounts:
    """The connections of clients at one listener. An IPv4-mapped address is the IPv4 address.

    `shared` tells whether some of them may be those of another program on the same port.
    """

    def __init__(self) -> None:
        """Start without a client."""
        self.shared = False
        self._by_address: defaultdict[bytes, _Count] = defaultdict(_Count)

    def add_waiting(self, address: bytes, seconds: float) -> None:
        """Count a connection from this address that has waited for accept for so long."""
        self._of(address).add(1, 0, seconds)

    def add_syn_recv(self, address: bytes, count: int) -> None:
        """Count half-open connections from this address."""
        self._of(address).add(0, count, 0.0)

    def share(self) -> None:
        """Note that they may be those of another program."""
        self.shared = True

    def document(self, number: int, length: int) -> Document:
        """Return the `number` addresses and networks with most connections, and how many are left out.

        `length` is that of the accept queue.
        """
        networks: defaultdict[bytes, _Count] = defaultdict(_Count)
        total = _Count()
        for address, count in self._by_address.items():
            padded = address[: _PREFIX_BYTES[len(address)]].ljust(len(address), bytes(1))
            for each in (networks[padded], total):
                each.add(count.waiting, count.syn_recv, count.oldest_seconds)
                each.addresses += 1
        addresses, most_networks = _most(self._by_address, number), _most(networks, number)
        return {
            "waiting": total.waiting,
            "syn_recv": total.syn_recv,
            "unseen": max(0, length - total.waiting),
            "addresses": [{"address": _text(address), **count.document()} for address, count in addresses],
            "networks": [
                {"network": _network(network), "addresses": count.addresses, **count.document()}
                for network, count in most_networks
            ],
            "omitted": {
                "addresses": len(self._by_address) - len(addresses),
                "networks": len(networks) - len(most_networks),
            },
            "shared": self.shared,
        }

    def _of(self, address: bytes) -> _Count:
        return self._by_address[address.removeprefix(IPV4_MAPPED_PREFIX)]


def _most(counts: Mapping[bytes, _Count], number: int) -> list[tuple[bytes, _Count]]:
    def order(entry: tuple[bytes, _Count]) -> tuple[int, int, float, int, bytes]:
        key, count = entry
        return -count.waiting - count.syn_recv, -count.waiting, -count.oldest_seconds, len(key), key

    return sorted(counts.items(), key=order)[:number]


def _text(address: bytes) -> str:
    return socket.inet_ntop(_FAMILIES[len(address)], address)


def _network(address: bytes) -> str:
    return f"{_text(address)}/{8 * _PREFIX_BYTES[len(address)]}"
