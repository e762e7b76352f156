"""What a listener of each kind is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.records import Listener
from exporter.listeners.key import ListenerKey, key_of
from tests.listeners.sockets import tcp, unix


@pytest.mark.parametrize(
    ("listener", "address", "port"),
    [
        (tcp(1, "0.0.0.0", 80), "0.0.0.0", "80"),
        (tcp(1, "::", 443), "::", "443"),
        (tcp(1, "127.0.0.1", 5432), "127.0.0.1", "5432"),
        (tcp(1, "2001:db8::1", 65535), "2001:db8::1", "65535"),
        (tcp(1, "::ffff:10.0.0.1", 80), "::ffff:10.0.0.1", "80"),
        (tcp(1, "0.0.0.0", 80, device=(7, "eth0")), "0.0.0.0%eth0", "80"),
        (tcp(1, "fe80::1", 80, device=(7, "eth0")), "fe80::1%eth0", "80"),
        (tcp(1, "0.0.0.0", 80, device=(7, "we\udcffird\n")), r"0.0.0.0%we\xffird\x0a", "80"),
    ],
)
def test_tcp_listener_is_called_by_address_and_port(listener: Listener, address: str, port: str) -> None:
    assert key_of(listener, "host", "tcp") == ListenerKey("host", "tcp", address, port)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (b"/run/docker.sock", "/run/docker.sock"),
        (b"relative.sock", "relative.sock"),
        (b"\0abstract", "@abstract"),
        (b"\0", "@"),
        (b"\0with\0nul", r"@with\x00nul"),
        (b"/run/\xff.sock", r"/run/\xff.sock"),
    ],
)
def test_unix_listener_is_called_by_name_and_has_no_port(name: bytes, address: str) -> None:
    assert key_of(unix(1, name), "host", "unix") == ListenerKey("host", "unix", address, "")


def test_namespace_is_part_of_the_name() -> None:
    assert key_of(tcp(1), "blue", "tcp") != key_of(tcp(1), "green", "tcp")
    assert key_of(tcp(1), "blue", "tcp").netns == "blue"


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
def test_other_place_is_another_group(other: Listener, protocol: str) -> None:
    assert key_of(other, "host", protocol) != key_of(tcp(1), "host", "tcp")


def test_socket_itself_is_no_part_of_the_name() -> None:
    """SO_REUSEPORT: other sockets, of other users, in the same place are one group."""
    assert key_of(tcp(1, uid=0), "host", "tcp") == key_of(tcp(2, uid=33, inode=5), "host", "tcp")


@given(st.binary(min_size=1, max_size=12), st.binary(min_size=1, max_size=12))
def test_abstract_names_differ_where_their_bytes_do(one: bytes, other: bytes) -> None:
    keys = [key_of(unix(1, b"\0" + name), "host", "unix") for name in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
