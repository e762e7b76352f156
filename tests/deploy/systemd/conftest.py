"""The fixture of the tests of the units."""

from __future__ import annotations

import pytest

from tests.deploy.systemd.installation import Installation


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The exporter, installed where the units run it."""
    return Installation.made_in(tmp_path_factory.mktemp("installed") / "exporter")
