"""The reference in docs is the one that the catalogue makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from exporter.metrics.catalogue import CATALOGUE
from exporter.metrics.listener_metrics import KEY_LABELS
from exporter.metrics.reference import reference

WRITTEN = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_docs_agree_with_the_catalogue() -> None:
    assert WRITTEN.read_text() == reference(), (
        "the catalogue changed; write docs/metrics.md anew with "
        "`python -m exporter.metrics.reference > docs/metrics.md`"
    )


def test_command_prints_the_reference() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporter.metrics.reference"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == reference()


def test_every_metric_has_one_row_with_type_and_help() -> None:
    lines = reference().splitlines()
    for metric in CATALOGUE:
        name = f"| `{metric.sample_name}`{' *full*' if metric.full else ''} |"
        rows = [line for line in lines if line.startswith(name)]
        assert len(rows) == 1, metric.name
        cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
        assert (cells[1], cells[3:]) == (metric.type, [metric.help])
        assert [f"`{label}`" for label in metric.subject.labels if not label.startswith("L")] == [
            cell for cell in cells[2].split(", ") if "`" in cell
        ]


def test_every_label_of_a_listener_is_explained() -> None:
    lines = reference().splitlines()
    labels = [
        line.split("`")[1] for line in lines[: lines.index("## Which series a listener has")] if "| `" in line
    ]
    assert labels == [*KEY_LABELS, "process"]
