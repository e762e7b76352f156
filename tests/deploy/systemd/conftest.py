"""The fixture of the tests of the units."""

from __future__ import annotations

import fcntl
import os

import pytest

from tests.deploy.systemd.installation import Installation


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The exporter, installed where the units run it; the workers of pytest-xdist share it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return Installation.made_in(folder / "installed")
