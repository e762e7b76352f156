"""A host without a process, and who looks for owners there."""

from __future__ import annotations

import pytest

from exporter.owners.search import OwnerSearch
from tests.owners.fake_host import Host


@pytest.fixture
def host() -> Host:
    """Nothing runs there yet."""
    return Host()


@pytest.fixture
def owners(host: Host) -> OwnerSearch:
    """Nothing is looked for yet."""
    return host.owners()
