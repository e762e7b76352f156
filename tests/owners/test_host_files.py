"""Files are read with care: whoever may write there must not stop the exporter."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from exporter.owners.host_files import HostFiles

LIMIT_BYTES = 8 << 20


def test_content_and_names_are_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").mkdir()
    assert HostFiles().read(str(tmp_path / "a")) == b"content"
    assert sorted(HostFiles().listing(str(tmp_path))) == ["a", "b"]


def test_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Invalid"):
        HostFiles().read(str(tmp_path / "pipe"))


def test_file_that_is_far_too_large_is_not_taken_into_memory(tmp_path: Path) -> None:
    for name, size in (("whole", LIMIT_BYTES), ("large", 100 * LIMIT_BYTES)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    assert len(HostFiles().read(str(tmp_path / "whole"))) == LIMIT_BYTES
    tracemalloc.start()
    with pytest.raises(OSError, match="large"):
        HostFiles().read(str(tmp_path / "large"))
    assert tracemalloc.get_traced_memory()[1] < 3 * LIMIT_BYTES
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["missing", ""])
def test_what_is_no_file_is_an_os_error(tmp_path: Path, name: str) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (Path would open one of its own)
    with pytest.raises(OSError, match=str(tmp_path)):
        HostFiles().read(str(tmp_path / name))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
