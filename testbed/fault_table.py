"""The table of faults in docs/reliability.md: what provokes each, what is promised, what a run has measured.

A test of a fault has the marker `fault`, and notes what it has measured:

    @pytest.mark.fault("1,030 clients that keep their connection", "a scrape is answered within a second")
    def test_idle_clients() -> None:
        ...
        figures.note(f"{seconds:.2f} s")

`pytest -m fault --fault-table FILE` writes the table between the two comments of a document. Of one
parametrized test, rows that are equal are one row with their number; those with figures of their own stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from testbed import figures

_FAULT: Final = "fault"
_FIGURE: Final = "figure"
_BEGIN: Final = "<!-- faults: made by `make reliability` -->"
_END: Final = "<!-- end of faults -->"
_HEADINGS: Final = ("provoked by", "promise", "result")
_RESULTS: Final = {"passed": "kept", "failed": "**broken**", "skipped": "could not be provoked"}


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, and what a run has shown: the outcome of the test in words of pytest, and its figures.

    `test` is the function, without what it was parametrized with.
    """

    test: str
    provocation: str
    promise: str
    outcome: str
    figures: tuple[str, ...]

    def markdown(self, cases: int) -> str:
        """Return the row of the table, for so many cases that are equal."""
        result = _RESULTS[self.outcome] + (f" ({cases} cases)" if cases > 1 else "")
        cells = (self.provocation, self.promise, ", ".join((result, *self.figures)))
        return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def replaced(document: str, rows: Iterable[Row]) -> str:
    """Return a document with these rows in its table. Raises ValueError where it has no place for it."""
    before, begin, rest = document.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the document has no lines {_BEGIN} and {_END}")
    head = [f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|"]
    table = "\n".join([*head, *(row.markdown(cases) for row, cases in Counter(rows).items())])
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


class FaultTable:
    """The plugin: collects the reports of tests that are marked, and writes the table at the end."""

    def __init__(self, document: Path | None) -> None:
        """Write nothing where there is no document."""
        self._document = document
        self._rows: dict[str, Row] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Have the report say which fault it is of; it may be made in another process than the table."""
        report = yield
        marker = item.get_closest_marker(_FAULT)
        measured = figures.take()
        if marker is not None and call.when == "call":
            provocation, promise = marker.args
            report.user_properties.append((_FAULT, (provocation, promise)))
            report.user_properties.extend((_FIGURE, figure) for figure in measured)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the row of a test."""
        for name, value in report.user_properties:
            if report.when == "call" and name == _FAULT and isinstance(value, (tuple, list)):
                provocation, promise = value
                measured = tuple(str(figure) for kind, figure in report.user_properties if kind == _FIGURE)
                test = report.nodeid.partition("[")[0]
                self._rows[report.nodeid] = Row(
                    test, str(provocation), str(promise), report.outcome, measured
                )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the table, in the order of the tests' names."""
        if self._document is not None and not hasattr(session.config, "workerinput"):
            rows = [self._rows[name] for name in sorted(self._rows)]
            self._document.write_text(replaced(self._document.read_text(), rows))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the document."""
    parser.addoption("--fault-table", type=Path, metavar="FILE", help="write the table of faults into FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and collect the reports."""
    config.addinivalue_line("markers", "fault(provocation, promise): a row of docs/reliability.md")
    config.pluginmanager.register(FaultTable(config.getoption("--fault-table")))
