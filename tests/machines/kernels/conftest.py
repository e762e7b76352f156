"""The files that a machine leaves: what tests saw, and how many passed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

_OUTCOMES: Counter[str] = Counter()


@pytest.fixture
def seen() -> Callable[[str, object], None]:
    """Writes what was seen of something to a file that outlives the machine: a row of docs/kernels.md."""

    def write(what: str, value: object) -> None:
        with Path(os.environ["RESULTS"], "seen.tsv").open("a") as file:
            file.write(f"{what}\t{value}\n")

    return write


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a test that ran, also those of other folders that were chosen."""
    if report.when == "call" or report.outcome != "passed":
        _OUTCOMES[report.outcome] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write how many tests passed, failed and were skipped."""
    if "RESULTS" in os.environ and not hasattr(session.config, "workerinput"):
        lines = [f"{outcome}\t{count}\n" for outcome, count in sorted(_OUTCOMES.items())]
        Path(os.environ["RESULTS"], "outcomes.tsv").write_text("".join(lines))
