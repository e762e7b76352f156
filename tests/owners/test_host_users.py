"""Users of this host: those in /etc/passwd, and those that the name service knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.owners.host_users import file_user_name, service_user_name

NO_USER = 4_294_967_294


@pytest.mark.parametrize("name_of", [file_user_name, service_user_name])
@pytest.mark.parametrize(("uid", "name"), [(0, b"root"), (NO_USER, b""), (2**32 - 1, b""), (2**40, b"")])
def test_a_user_has_its_name_and_a_number_without_a_user_none(
    name_of: Callable[[int], bytes], uid: int, name: bytes
) -> None:
    assert name_of(uid) == name


def test_users_of_a_file(tmp_path: Path) -> None:
    """Names may be of any bytes."""
    passwd = tmp_path / "passwd"
    assert file_user_name(0, passwd) == b"", "there is no file"
    passwd.write_bytes(b"admin:x:0:0::/:\nj\xf6rg:x:7:7::/:\n")
    assert file_user_name(0, passwd) == b"admin"
    assert file_user_name(7, passwd) == b"j\xf6rg"
