"""What every test may use: the marker `netns`; and settings of Hypothesis for all tests."""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from testbed import programs, ruby

pytest_plugins = ["testbed.plugin", "testbed.fault_table"]

# `make bench` may have fetched it.
os.environ.update(ruby.environment())

# Hypothesis limits the time of each example, and of drawing them, which a process that waits for a busy core
# exceeds.
settings.register_profile(
    "busy machine", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of every later search for garbage: to look at so many takes 0.3 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["installed", "newest"])
def monitoring_release(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the Prometheus and Alertmanager of this machine's Debian, and with the newest ones."""
    release: str = request.param
    if release == "newest":
        _find_newest(monkeypatch)
    return release


@pytest.fixture
def newest_monitoring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with the newest monitoring programs."""
    _find_newest(monkeypatch)


@pytest.fixture(autouse=True)
def directory_restored() -> Iterator[None]:
    """Go back to the directory that tests begin in: some bind unix sockets by relative paths."""
    directory = os.getcwd()  # noqa: PTH109  (os.chdir takes it back as it is)
    yield
    os.chdir(directory)


def _find_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    if not programs.NEWER.exists():
        pytest.skip("no newer monitoring programs (tools/newer_programs fetches them where apt-get can)")
    monkeypatch.setenv("PATH", f"{programs.NEWER}{os.pathsep}{os.environ['PATH']}")
