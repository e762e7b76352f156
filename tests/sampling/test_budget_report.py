"""What the log says of a budget that is exceeded: once when it begins to last, once when it ends."""

from __future__ import annotations

import logging

import pytest

from exporter.sampling.budget_report import BudgetReport
from exporter.sampling.cpu_budget import CpuWindow
from tests.sampling.simulation import Simulation

BUDGET = 0.02
KEPT, BORDER, EXCEEDED = 0.019, 0.021, 0.03
LASTING = 30.0
PAUSE = 600.0


class Log:
    """A report that is told of each second, and what it has written since the last look."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.now = 1000.0
        self._caplog = caplog
        self._report = BudgetReport()

    def records(self, seconds: float, used: float, interval: float = 4.0) -> list[logging.LogRecord]:
        """Go on for so long with this share of a core; return what was written."""
        self._caplog.clear()
        for _ in range(round(seconds)):
            self._report.note(CpuWindow(used, BUDGET), interval, self.now)
            self.now += 1.0
        return self._caplog.records.copy()

    def run(self, seconds: float, used: float) -> list[str]:
        """Do the same; return the levels of what was written."""
        return [record.levelname for record in self.records(seconds, used)]


@pytest.fixture
def report(caplog: pytest.LogCaptureFixture) -> Log:
    return Log(caplog)


def test_a_budget_that_is_kept_is_not_worth_a_line(report: Log) -> None:
    assert report.run(3600.0, KEPT) == []


def test_it_is_told_once_when_it_begins_and_once_when_it_ends(report: Log) -> None:
    assert report.run(3600.0, EXCEEDED) == ["WARNING"]
    assert report.run(3600.0, KEPT) == ["INFO"]


def test_the_lines_say_what_is_used_what_was_allowed_and_what_to_do(report: Log) -> None:
    (begun,) = report.records(60.0, 0.0314)
    (ended,) = report.records(60.0, 0.0199, interval=0.35)
    assert "raise sampling.cpu_budget" in begun.getMessage()
    assert "ListenQueueExporterOverBudget" in begun.getMessage()
    assert begun.__dict__["fields"] == {"used": "3.14%", "cpu_budget": "2%", "longest_interval": "4s"}
    assert ended.__dict__["fields"] == {"used": "1.99%", "cpu_budget": "2%", "longest_interval": "0.35s"}


def test_a_burst_is_not_told(report: Log) -> None:
    """It exceeds the budget of half a minute for as long."""
    for _ in range(10):
        assert report.run(LASTING, EXCEEDED) == []
        assert report.run(1.0, BORDER) == []


def test_around_the_budget_it_neither_begins_nor_ends(report: Log) -> None:
    assert report.run(3600.0, BORDER) == []
    assert report.run(60.0, EXCEEDED) == ["WARNING"]
    assert report.run(3600.0, BORDER) == []
    assert report.run(1.0, KEPT) == ["INFO"]


def test_it_is_told_every_ten_minutes_at_most(report: Log) -> None:
    """What is not told to have begun does not end."""
    levels: list[str] = []
    for _ in range(20):
        levels += report.run(60.0, EXCEEDED)
        levels += report.run(60.0, KEPT)
    assert levels == ["WARNING", "INFO"] * 4
    assert report.run(PAUSE, KEPT) == []
    assert report.run(60.0, EXCEEDED) == ["WARNING"]


def test_a_sampler_with_a_budget_that_it_cannot_keep_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    simulation = Simulation("sampling: {cpu_budget: 0.1%}")
    simulation.kernel.tcp.cost = 0.02
    simulation.run_loop_for(300.0)
    (record,) = [each for each in caplog.records if "cpu_budget" in each.getMessage()]
    assert record.__dict__["fields"]["longest_interval"] == "4s"
    simulation.configure("sampling: {cpu_budget: 100%}")
    simulation.run_loop_for(60.0)
    assert caplog.records[-1].getMessage() == "cpu_budget is kept again"
