"""The key of a listener: which sockets have the same, and which do not."""

from __future__ import annotations

import pytest

from exporter.kernel.records import Listener
from exporter.listeners.key import ListenerKey, key_of
from tests.listeners.sockets import tcp, unix


def test_a_key_has_the_namespace_the_protocol_and_the_address_of_the_listener() -> None:
    assert key_of(tcp(1, "127.0.0.1", 5432), "blue", "tcp") == ListenerKey("blue", "tcp", "127.0.0.1", "5432")
    assert key_of(unix(1, b"\0abstract"), "blue", "unix") == ListenerKey("blue", "unix", "@abstract", "")


def test_another_namespace_is_another_key() -> None:
    assert key_of(tcp(1), "blue", "tcp") != key_of(tcp(1), "green", "tcp")


@pytest.mark.parametrize(
    ("other", "protocol"),
    [
        (tcp(2, "0.0.0.0", 81), "tcp"),
        (tcp(2, "127.0.0.1", 80), "tcp"),
        (tcp(2, "::", 80), "tcp"),
        (tcp(2, "0.0.0.0", 80, device=(1, "lo")), "tcp"),
        (tcp(2, "0.0.0.0", 80), "sctp"),
        (unix(2, b"0.0.0.0"), "unix"),
    ],
)
def test_another_address_or_protocol_is_another_key(other: Listener, protocol: str) -> None:
    assert key_of(other, "host", protocol) != key_of(tcp(1), "host", "tcp")


def test_sockets_of_different_users_on_one_address_have_the_same_key() -> None:
    """SO_REUSEPORT."""
    assert key_of(tcp(1, uid=0), "host", "tcp") == key_of(tcp(2, uid=33, inode=5), "host", "tcp")
