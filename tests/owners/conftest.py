"""A fake host, and a search for owners on it."""

from __future__ import annotations

import pytest

from exporter.owners.search import OwnerSearch
from tests.owners.fake_host import FakeHost


@pytest.fixture
def host() -> FakeHost:
    """A host without processes."""
    return FakeHost()


@pytest.fixture
def owners(host: FakeHost) -> OwnerSearch:
    """A search on that host, which has no sockets yet."""
    return host.owner_search()
