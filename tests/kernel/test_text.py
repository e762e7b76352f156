"""Bytes of the kernel as text that is safe to show, and from which the bytes can be read."""

from __future__ import annotations

import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.records import Endpoint
from exporter.kernel.text import ip_address, label_value, printable, unix_address

ESCAPE = re.compile(r"\\x([0-9a-f]{2})|([^\\])")
SPECIAL = st.sampled_from(
    [
        b"\\",
        b"\\x41",
        b"A",
        b"\n",
        b"\0",
        b'"',
        b"\x7f",
        b"\x80",
        b"\xc3",
        b"\xa9",
        "\u202e\u2028\ue000".encode(),
    ]
)
NAMES = st.binary(max_size=20) | st.text(max_size=20).map(str.encode) | st.lists(SPECIAL).map(b"".join)


def read_back(text: str) -> bytes:
    """Return the bytes of a printed name."""
    assert ESCAPE.sub("", text) == "", "a backslash only begins an escape"
    return b"".join(
        bytes.fromhex(found[1]) if found[1] else found[2].encode() for found in ESCAPE.finditer(text)
    )


@given(NAMES)
def test_bytes_can_be_read_back(raw: bytes) -> None:
    """So two names never have the same text."""
    assert read_back(printable(raw)) == raw


@given(NAMES)
def test_text_is_safe_to_show(raw: bytes) -> None:
    """No control character, no change of the writing direction, nothing that UTF-8 cannot encode."""
    text = printable(raw)
    assert text.isprintable()
    assert text.encode().decode() == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"/run/php/fpm.sock", "/run/php/fpm.sock"),
        (b"with space", "with space"),
        ("/run/größe-日本.sock".encode(), "/run/größe-日本.sock"),
        (b"C:\\temp", r"C:\x5ctemp"),
        (b"line\nbreak", r"line\x0abreak"),
        (b"\xff\xfe", r"\xff\xfe"),
        (b"half a \xc3", r"half a \xc3"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        ("\u202egnp.exe".encode(), r"\xe2\x80\xaegnp.exe"),
        (b"", ""),
    ],
)
def test_printed_name(raw: bytes, text: str) -> None:
    assert printable(raw) == text


def endpoint(address: str) -> Endpoint:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return Endpoint(family, socket.inet_pton(family, address), 80, 0)


@pytest.mark.parametrize(
    ("address", "device", "text"),
    [
        ("0.0.0.0", "", "0.0.0.0"),
        ("::", "", "::"),
        ("2001:db8::1", "", "2001:db8::1"),
        ("::ffff:10.0.0.1", "", "10.0.0.1"),
        ("::ffff:0.0.0.0", "", "0.0.0.0"),
        ("::ffff:10.0.0.1", "eth0", "10.0.0.1%eth0"),
        ("::fffe:10.0.0.1", "", "::fffe:a00:1"),
        ("::ffff:0:0:1", "", "::ffff:0:0:1"),
        ("::10.0.0.1", "", "::10.0.0.1"),
        ("0.0.0.0", "eth0", "0.0.0.0%eth0"),
        ("fe80::1", "eth0", "fe80::1%eth0"),
        ("0.0.0.0", "we\udcffird\n", r"0.0.0.0%we\xffird\x0a"),
    ],
)
def test_ip_address(address: str, device: str, text: str) -> None:
    assert ip_address(endpoint(address), device) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"/run/docker.sock", "/run/docker.sock"),
        (b"relative.sock", "relative.sock"),
        (b"*", r"\x2a"),
        (b"**", "**"),
        (b"\0*", "@*"),
        (b"\0abstract", "@abstract"),
        (b"\0", "@"),
        (b"\0with\0nul", r"@with\x00nul"),
        (b"/run/\xff.sock", r"/run/\xff.sock"),
    ],
)
def test_unix_address(name: bytes, text: str) -> None:
    assert unix_address(name) == text


@given(st.binary(min_size=1, max_size=12), st.binary(min_size=1, max_size=12))
def test_abstract_addresses_differ_where_their_bytes_do(name: bytes, other: bytes) -> None:
    assert (unix_address(b"\0" + name) == unix_address(b"\0" + other)) == (name == other)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("a" * 256, "a" * 256),
        ("a" * 257, "a" * 253 + "…"),
        ("漢" * 85, "漢" * 85),
        ("漢" * 86, "漢" * 84 + "…"),
        ("x" + "🙂" * 64, "x" + "🙂" * 63 + "…"),
    ],
)
def test_the_value_of_a_label_has_256_bytes_at_most(text: str, value: str) -> None:
    assert label_value(text) == value
    assert len(value.encode()) <= 256


@given(st.binary(max_size=108))
def test_no_name_of_a_unix_socket_makes_a_longer_label(name: bytes) -> None:
    assert len(unix_address(name).encode()) <= 256


def test_a_name_cannot_pretend_to_be_a_listener_that_was_told_apart() -> None:
    """Two listeners would have equal labels, and Prometheus would refuse the page."""
    assert unix_address(b"/run/a.sock (inode 7)") == r"/run/a.sock \x28inode 7)"
    assert unix_address(b"\0a (inode 123)") == r"@a \x28inode 123)"
    for name in (b"a (inode 7) ", b"a (inode )", b"a(inode 7)", b"a (inodes 7)", b"a (inode 7)b"):
        assert unix_address(name) == name.decode()
