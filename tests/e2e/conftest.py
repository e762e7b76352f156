"""The fixture of the tests of this folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, with a path short enough for that of a unix socket in it."""
    with tempfile.TemporaryDirectory(prefix="e2e-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made)
