"""Files that cannot be read: each gives one line that says why, and none blocks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config import Config, ConfigError, ConfigFile
from exporter.errors import UsageError
from testbed import privileges


def error_of(path: Path | str) -> str:
    with pytest.raises(ConfigError) as caught:
        ConfigFile(str(path)).load()
    (line,) = caught.value.lines
    return line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert error_of(path) == f"{path}: cannot be read: no such file or directory"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file that only root can read."""
    path = tmp_path / "secret.yaml"
    path.touch(mode=0)
    return path


@pytest.fixture
def unprivileged_user() -> Iterator[int]:
    """Take root's privileges away for one test; the value is the user ID then."""
    with privileges.without_root() as user:
        yield user


def test_a_file_without_permission_to_read_it(secret: Path, unprivileged_user: int) -> None:
    expected = f"{secret}: cannot be read (by user id {unprivileged_user}): permission denied"
    assert error_of(secret) == expected


def test_a_directory(tmp_path: Path) -> None:
    assert error_of(tmp_path) == f"{tmp_path}: is a directory; a regular file belongs here"


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert error_of(path) == f"{path}: is a pipe; a regular file belongs here"


def test_a_device() -> None:
    assert error_of("/dev/null") == "/dev/null: is a device; a regular file belongs here"


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        assert error_of("s") == "s: is a socket; a regular file belongs here"


def test_a_name_that_no_file_can_have() -> None:
    assert error_of("a\0b") == r"a\x00b: no file can have this name; check the flag"


def test_a_byte_that_is_not_utf8_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "latin1.yaml"
    path.write_bytes("labels: []\n# caf\u00e9 caf".encode() + b"\xe9\n")
    assert error_of(path) == f"{path}:2:11: this byte is not UTF-8; save the file in UTF-8"


def test_a_mebibyte_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"{}\n".ljust(1 << 20, b"#"))
    assert ConfigFile(str(path)).load() == Config()


def test_more_than_a_mebibyte_is_not(tmp_path: Path) -> None:
    path = tmp_path / "larger.yaml"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    assert error_of(path) == f"{path}: is over 1 MiB, the most that is read; check the name of the file"


def test_a_wrong_configuration_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("max_listeners: 0\nlabels: 0\n")
    with pytest.raises(UsageError) as caught:
        ConfigFile(str(path)).load()
    assert caught.value.exit_status == 2
    assert isinstance(caught.value, ConfigError)
    assert str(caught.value) == "\n".join(caught.value.lines)
    assert len(caught.value.lines) == 2
