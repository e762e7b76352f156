"""Whether files have changed: by their content, and not by their times."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event

from exporter.cli.file_changes import FileChanges
from exporter.yamlfile.file import content


def watched(*paths: Path, interval: float | None = 1.0) -> FileChanges:
    """Changes of these files, which were looked at once."""
    changes = FileChanges([str(path) for path in paths], content, interval)
    assert changes.look() is (interval is not None)
    return changes


def test_only_another_content_is_a_change(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("2")
    changes = watched(first, second)
    assert not changes.look()
    os.utime(first, (1, 1))
    assert not changes.look()
    second.write_text("3")
    assert changes.look()
    assert not changes.look()


def test_a_file_that_goes_away_or_comes_back_is_a_change_once(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    changes = watched(file)
    file.unlink()
    assert changes.look()
    assert not changes.look()
    file.write_text("1")
    assert changes.look()
    assert not changes.look()


def test_without_an_interval_nothing_is_read(tmp_path: Path) -> None:
    changes = watched(tmp_path / "a", interval=None)
    assert not changes.look()


def test_a_file_that_hangs_is_a_change_once() -> None:
    """Its reading fails, and says so, as long as the same reading hangs."""
    hanging = Event()

    def read(path: str) -> bytes:
        hanging.wait()
        return path.encode()

    changes = FileChanges(["a"], read, 1.0, read_seconds=0.05)
    try:
        assert changes.look()
        assert not changes.look()
    finally:
        hanging.set()
