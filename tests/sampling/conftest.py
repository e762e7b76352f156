"""The stage that most tests of the loop play on."""

from __future__ import annotations

import pytest

from tests.sampling.sampler_fixture import Stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A sampler that runs on defaults."""
    return Stage(monkeypatch)
