"""The requests of type 18, and what the kernel replies to requests that it has no handler for."""

from __future__ import annotations

import gc
import socket
import struct
from pathlib import Path

import pytest

from exporter.kernel.errors import UnavailableError
from exporter.kernel.family import TCP
from exporter.kernel.sock_diag import accept_wait, mptcp, syn_recv
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.dump import dump
from tests.kernel.diag_request import decoded

NLM_F_REQUEST_DUMP = 0x301
ESTABLISHED, CLOSE_WAIT, LISTEN, NEW_SYN_RECV = 1, 8, 10, 12
DCCPDIAG_GETSOCK = 19
NO_PROTOCOL = 8  # IPPROTO_EGP

TCP_LISTENERS = TCP.rows.requests[0]


@pytest.mark.parametrize(
    ("request_bytes", "states", "extensions"),
    [
        pytest.param(TCP_LISTENERS, {LISTEN}, 1 << 6, id="listeners with SK_MEMINFO"),
        pytest.param(syn_recv.REQUEST, {NEW_SYN_RECV}, 0, id="request sockets, not Fast Open children"),
        pytest.param(
            accept_wait.request_at_ports({80}),
            {ESTABLISHED, CLOSE_WAIT},
            1 << 1,
            id="connections with TCP_INFO",
        ),
    ],
)
def test_a_request_asks_for_both_families_at_once(
    request_bytes: bytes, states: set[int], extensions: int
) -> None:
    request = decoded(request_bytes)
    assert (request.message_type, request.flags) == (18, NLM_F_REQUEST_DUMP)
    assert (request.sequence, request.port_id) == (1, 0)
    assert (request.family, request.states, request.extensions) == (0, states, extensions)


def test_only_the_request_for_waiting_connections_has_a_filter() -> None:
    assert decoded(TCP_LISTENERS).program == b""
    assert decoded(syn_recv.REQUEST).program == b""
    assert decoded(accept_wait.request_at_ports({80})).program != b""


def of_type(message_type: int) -> bytes:
    """Return the request for listeners with another type."""
    return TCP_LISTENERS[:4] + struct.pack("=H", message_type) + TCP_LISTENERS[6:]


@pytest.mark.netns
@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(of_type(DCCPDIAG_GETSOCK), id="a protocol that was removed"),
        pytest.param(mptcp.request(socket.AF_INET)[:-4] + struct.pack("=I", NO_PROTOCOL), id="EGP"),
        pytest.param(mptcp.request(0), id="no address family"),
        pytest.param(mptcp.request(44), id="an unknown address family"),
        pytest.param(accept_wait.request_at_ports([]), id="an empty filter"),
    ],
)
def test_a_request_without_a_handler_is_an_error_and_no_empty_reply(request_bytes: bytes) -> None:
    with pytest.raises(UnavailableError):
        list(dump(request_bytes, CachedSocket()))


@pytest.mark.netns
def test_no_descriptor_stays_open_however_a_dump_ends() -> None:
    servers = [socket.create_server(("127.0.0.1", port)) for port in range(8000, 8300)]
    before = descriptors()
    assert len(list(dump(TCP_LISTENERS, CachedSocket()))) > 1
    for _ in dump(TCP_LISTENERS, CachedSocket()):
        break
    left = dump(TCP_LISTENERS, CachedSocket())
    next(left)
    assert len(descriptors()) == len(before) + 1
    del left
    for request in (mptcp.request(0), of_type(DCCPDIAG_GETSOCK)):
        with pytest.raises(UnavailableError):
            list(dump(request, CachedSocket()))
    assert descriptors() == before
    del servers


def descriptors() -> set[str]:
    # What earlier tests left to the garbage collector must not be closed in between.
    gc.collect()
    return {path.name for path in Path("/proc/self/fd").iterdir()}
