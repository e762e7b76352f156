"""Rows of connections that may wait for accept."""

from __future__ import annotations

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.sock_diag import accept_wait
from tests.fuzz.listener_rows import check_endpoint
from tests.fuzz.target import Target, parts


def run(data: bytes) -> None:
    """Decode two datagrams, and again where all that wait are known."""
    try:
        found = list(accept_wait.waiting(parts(data, 2)))
    except MalformedReplyError:
        return
    known = {connection.cookie: connection.seconds for connection in found}
    beside = accept_wait.waiting_beside(parts(data, 2), known)
    assert (beside.found, beside.still) == ([], known)
    for connection in found:
        check_endpoint(connection.local)
        assert len(connection.peer_address) == len(connection.local.address)
        assert 0 <= connection.peer_port < 1 << 16
        assert 0 <= connection.seconds < 1 << 32


TARGET = Target(run, max_bytes=2048)
