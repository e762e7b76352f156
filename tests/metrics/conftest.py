"""The host that most tests of the page begin with."""

from __future__ import annotations

import pytest

from exporter.metrics.page import Page
from tests.metrics.sample_host import page_of, sample_host
from tests.sampling.simulation import Simulation


@pytest.fixture
def host() -> Simulation:
    """A host that has every metric."""
    return sample_host()


@pytest.fixture
def page(host: Simulation) -> Page:
    """The page of that host."""
    return page_of(host)
