"""docs/performance.md and its charts are what `python -m bench --report` makes of bench/results.json."""

from __future__ import annotations

import re
from pathlib import Path

from bench.__main__ import RESULTS
from bench.document import write_document
from bench.missed_limits import missed_limits
from bench.results import Results

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_document_is_that_of_the_committed_results(tmp_path: Path) -> None:
    write_document(Results.read(RESULTS), tmp_path)
    committed = {path.name: path.read_text() for path in DOCS.glob("performance*")}
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == committed


def test_the_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    copy = tmp_path / "results.json"
    results = Results.read(RESULTS)
    results.write(copy)
    assert copy.read_text() == RESULTS.read_text()
    assert Results.read(copy) == results


def test_the_document_has_every_chart_and_a_row_for_every_measurement(tmp_path: Path) -> None:
    results = Results.read(RESULTS)
    write_document(results, tmp_path)
    text = (tmp_path / "performance.md").read_text()
    charts = {path.name for path in tmp_path.glob("*.svg")}
    assert set(re.findall(r"!\[.+\]\((.+)\)", text)) == charts
    assert charts
    for measurement in results.measurements:
        assert f"| {measurement.workload} | {measurement.program} | " in text


def test_every_limit_that_was_missed_has_a_reason() -> None:
    missed = missed_limits(Results.read(RESULTS))
    assert [limit.name for limit, reason in missed.items() if not reason] == []


def test_charts_of_before_are_removed(tmp_path: Path) -> None:
    old = tmp_path / "performance-old.svg"
    old.touch()
    write_document(Results.read(RESULTS), tmp_path)
    assert not old.exists()
