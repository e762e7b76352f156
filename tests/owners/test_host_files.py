"""Files that anybody may have written: what is no regular file, or too large, is an error."""

from __future__ import annotations

import errno
import os
import tracemalloc
from pathlib import Path

import pytest

from exporter.owners.host_files import HostFiles
from tests.broker.names import make_names
from tests.broker.namespaced_process import descriptors as own_descriptors

MAX_BYTES = 8 << 20


def test_content_of_a_file_and_names_in_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").mkdir()
    assert HostFiles().read(str(tmp_path / "a"), MAX_BYTES) == b"content"
    assert sorted(HostFiles().names(str(tmp_path))) == ["a", "b"]


def test_named_pipe_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe") as caught:
        HostFiles().read(str(tmp_path / "pipe"), MAX_BYTES)
    assert caught.value.errno == errno.EINVAL


def test_file_above_the_limit_is_not_read_into_memory(tmp_path: Path) -> None:
    for name, size in (("whole", MAX_BYTES), ("larger", MAX_BYTES + 1), ("large", 100 * MAX_BYTES)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    assert len(HostFiles().read(str(tmp_path / "whole"), MAX_BYTES)) == MAX_BYTES
    with pytest.raises(OSError, match="larger"):
        HostFiles().read(str(tmp_path / "larger"), MAX_BYTES)
    tracemalloc.start()
    with pytest.raises(OSError, match="large") as caught:
        HostFiles().read(str(tmp_path / "large"), MAX_BYTES)
    assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BYTES
    tracemalloc.stop()
    assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize(
    ("name", "error"), [("missing", FileNotFoundError), ("", IsADirectoryError), ("a/b", NotADirectoryError)]
)
def test_what_open_fails_with_is_raised_and_no_descriptor_stays_open(
    tmp_path: Path, name: str, error: type[OSError]
) -> None:
    (tmp_path / "a").touch()
    before = own_descriptors()
    with pytest.raises(error, match=str(tmp_path)):
        HostFiles().read(str(tmp_path / name), MAX_BYTES)
    assert own_descriptors() == before


def test_file_of_the_kernel_is_not_read() -> None:
    """Some are consumed by reading, as those of the tracer are."""
    assert HostFiles().read("/proc/self/status", MAX_BYTES) == b""


def test_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HostFiles().names(str(tmp_path / "missing"))


def test_of_a_directory_with_more_names_than_a_host_has_containers_some_are_read(tmp_path: Path) -> None:
    """Whoever may write there may make millions."""
    make_names(tmp_path, (1 << 16) + 10)
    assert len(HostFiles().names(str(tmp_path))) == 1 << 16
