"""Bytes of the kernel become text that is safe, and that names no other bytes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.text import printable

ESCAPE = re.compile(r"\\x([0-9a-f]{2})|([^\\])")
AWKWARD = st.sampled_from(
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
NAMES = st.binary(max_size=20) | st.text(max_size=20).map(str.encode) | st.lists(AWKWARD).map(b"".join)


def read_back(text: str) -> bytes:
    """The bytes that a printed name stands for."""
    assert ESCAPE.sub("", text) == "", "a backslash begins an escape and nothing else"
    return b"".join(
        bytes.fromhex(found[1]) if found[1] else found[2].encode() for found in ESCAPE.finditer(text)
    )


@given(NAMES)
def test_bytes_can_be_read_back(raw: bytes) -> None:
    """Two names never look alike, since each can be read in one way only."""
    assert read_back(printable(raw)) == raw


@given(NAMES)
def test_text_is_safe_to_show(raw: bytes) -> None:
    """No control character, no turn of the writing direction, nothing that UTF-8 cannot write."""
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
def test_name_is_shown(raw: bytes, text: str) -> None:
    assert printable(raw) == text
