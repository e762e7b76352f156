"""The scene that most tests of the page begin with."""

from __future__ import annotations

import pytest

from exporter.metrics.page import Page
from tests.metrics.sample_host import page_of, set_scene
from tests.sampling.sampler_fixture import Stage


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A host that shows every metric."""
    return set_scene(monkeypatch)


@pytest.fixture
def page(scene: Stage) -> Page:
    """The page of that host."""
    return page_of(scene)
