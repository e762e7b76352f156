"""What tests in a machine have: an exporter that runs as on a host, and a file for what was seen."""

from __future__ import annotations

import http
import http.client
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.daemon import Daemon
from testbed.waiting import until
from tests.machines import file_tree
from tests.machines.page import Listeners

# A machine that is emulated on a busy one loads modules for a minute.
_START_SECONDS = 300.0
# Another than the default, which the exporter of the compose file has.
_PORT = 10512
# What is 2 % of a processor elsewhere.
_CONFIG = "sampling: {cpu_budget: 50%}"


class _Failures:
    """Prints each failure at once: a machine that reaches its time limit prints no summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line(f"\n{report.nodeid} after {report.duration:.0f} s:\n{report.longreprtext}")


def pytest_configure(config: pytest.Config) -> None:
    """Print failures as they come, in a machine."""
    if "IN_MACHINE" in os.environ and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Failures(config))


@pytest.fixture(scope="session", autouse=True)
def _in_a_machine() -> None:
    if "IN_MACHINE" not in os.environ:
        pytest.skip("changes the machine it runs on, so it runs in a virtual one: make test-engines")


@pytest.fixture(scope="session")
def listeners(_in_a_machine: None) -> Iterator[Listeners]:
    """What an exporter shows that runs as root and looks into all namespaces."""
    with Daemon(config=_CONFIG, port=_PORT, namespaces=True) as daemon:
        until(lambda: _is_ready(daemon), bool, _START_SECONDS)
        yield Listeners(daemon)


@pytest.fixture(scope="session")
def root(_in_a_machine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system for containers."""
    return file_tree.make(tmp_path_factory.mktemp("image") / "root")


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Writes a line about what was seen to a file that outlives the machine."""
    name = request.node.name

    def write(line: str) -> None:
        with Path(os.environ["RESULTS"], "seen.txt").open("a") as file:
            file.write(f"{name}: {line}\n")

    return write


def _is_ready(daemon: Daemon) -> bool:
    try:
        return daemon.request("/-/ready").status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
