"""The sampler that most tests begin with."""

from __future__ import annotations

import pytest

from tests.sampling.simulation import Simulation


@pytest.fixture
def simulation() -> Simulation:
    """A sampler with the default configuration."""
    return Simulation()
