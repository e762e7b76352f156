"""The browser that tests of pictures share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.chromium import Chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Headless Chromium, started once a test process; tests are skipped where it is not installed."""
    with Chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started
