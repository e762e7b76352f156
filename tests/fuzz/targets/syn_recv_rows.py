"""Rows of half-open connections: each is counted once, and has a client."""

from __future__ import annotations

from collections import Counter

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.sock_diag import syn_recv
from exporter.kernel.sock_diag.messages import messages
from tests.fuzz.listener_rows import check_endpoint
from tests.fuzz.target import Target, parts


def run(data: bytes) -> None:
    """Count the rows of two datagrams."""
    datagrams = parts(data, 2)
    try:
        found = syn_recv.count(datagrams)
    except MalformedReplyError:
        return
    for endpoint in found:
        check_endpoint(endpoint)
    peers = list(syn_recv.peers(datagrams))
    assert Counter(local for local, _ in peers) == found
    assert all(len(address) == len(local.address) for local, address in peers)
    assert sum(found.values()) == sum(len(messages(datagram)) for datagram in datagrams)


TARGET = Target(run, max_bytes=2048)
