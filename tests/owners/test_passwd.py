"""Users in the text of passwd and of uid_map, whoever has written it."""

from __future__ import annotations

import pwd
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.owners.host_users import PASSWD
from exporter.owners.passwd import inner_uid, user_in

PASSWD_TEXT = b"""root:x:0:0:root:/root:/bin/sh
# web:x:33:33
www-data:x:33:33:www:/var/www:/usr/sbin/nologin
+nis:x:40:40::/:
-nis:x:41:41::/:
+::::::
:x:42:42::/:
33:x:50:33:x:33:/bin/sh
second:x:33:33::/:
short:x
gid:x:60
last:x:70:70::/:"""


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        (0, b"root"),
        (33, b"www-data"),
        (50, b"33"),
        (60, b""),
        (70, b"last"),
        (40, b""),
        (41, b""),
        (42, b""),
        (1, b""),
        (3, b""),
        (4_294_967_294, b""),
    ],
)
def test_the_first_line_of_a_user_counts(uid: int, name: bytes) -> None:
    assert user_in(PASSWD_TEXT, uid) == name


@pytest.mark.parametrize("line", [b"x:33:y:1::/:", b"x:y:1:33:z:/:", b"x:y:z:1:a:33:b", b"x:y:033:1::/:"])
def test_a_number_in_another_place_is_no_user(line: bytes) -> None:
    assert user_in(line, 33) == b""


def test_a_name_that_is_longer_than_any_user_has_is_none() -> None:
    assert user_in(b"x" * 255 + b":x:7:7::/:", 7) == b"x" * 255
    assert user_in(b"x" * 256 + b":x:7:7::/:", 7) == b""


def test_the_users_of_this_host_are_those_of_the_c_library() -> None:
    content = PASSWD.read_bytes()
    users = pwd.getpwall()
    assert users
    for user in users:
        assert user_in(content, user.pw_uid).decode() == pwd.getpwuid(user.pw_uid).pw_name


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_any_bytes_are_users(content: bytes, uid: int) -> None:
    name = user_in(content, uid)
    assert b":" not in name
    assert b"\n" not in name


@pytest.mark.parametrize(
    ("uid", "inside"),
    [(1000, 0), (1001, None), (100_000, 1), (165_535, 65_536), (165_536, None), (0, None), (2**32 - 1, None)],
)
def test_a_user_of_a_user_namespace(uid: int, inside: int | None) -> None:
    """As rootless Podman maps them."""
    assert inner_uid(b"         0       1000          1\n         1     100000      65536\n", uid) == inside


@pytest.mark.parametrize("uid_map", [b"", b"\n", b"0 0\n", b"a b c\n", b"0 0 1 1\n", b"-1 0 10\n"])
def test_a_map_that_is_none_has_no_users(uid_map: bytes) -> None:
    assert inner_uid(uid_map, 0) is None


@given(st.binary(max_size=100), st.integers(0, 2**32 - 1))
def test_any_bytes_are_a_map(uid_map: bytes, uid: int) -> None:
    inside = inner_uid(uid_map, uid)
    assert inside is None or inside >= 0


def test_a_number_of_thousands_of_digits_is_no_user() -> None:
    """Python refuses to convert it."""
    assert inner_uid(b"9" * 5000 + b" 0 1\n0 1000 1\n", 1000) == 0


@pytest.mark.parametrize("content", [b":0:" * 350_000, b"x:x:0" + b":0:" * 350_000, b"\n:0:" * 250_000])
def test_a_file_of_a_megabyte_takes_linear_time(content: bytes) -> None:
    """Whoever runs a container writes its /etc/passwd."""
    started = time.thread_time()
    assert user_in(content + b"\nroot:x:0:0::/:\n", 0) in (b"root", b"x")
    assert time.thread_time() - started < 5
