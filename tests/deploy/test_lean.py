"""Alerts, rules, autoscalers and the dashboard need no series of a listener but those of `export: lean`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from exporter.metrics.catalogue import CATALOGUE
from tests.deploy.alerts import shipped
from tests.deploy.dashboard import file

DEPLOY = file.ROOT / "deploy"
# Each with the parts of a histogram.
FULL = re.compile(
    rf"\b({'|'.join(metric.sample_name for metric in CATALOGUE if metric.full)})(_bucket|_count|_sum)?\b"
)
OF_FULL = {f"service:listen_queue_accept_wait_seconds:{part}_rate5m" for part in ("p50", "p99")}
AUTOSCALING = sorted((DEPLOY / "kubernetes/autoscaling").iterdir())
NEEDS = "`export: full`"


def used(text: str) -> set[str]:
    """The metrics in a text that only `export: full` publishes."""
    return {found[0] for found in FULL.finditer(text)}


def test_metrics_of_export_full_are_found() -> None:
    text = "rate(listen_queue_accept_sampled_utilization_ratio_bucket[5m]) / listen_queue_accept_length"
    assert used(text) == {"listen_queue_accept_sampled_utilization_ratio_bucket"}
    assert used("listen_queue_syn_recv_peak + listen_queue_accept_peak_utilization_ratio") == {
        "listen_queue_syn_recv_peak"
    }


@pytest.mark.parametrize("path", [shipped.ALERTS, *AUTOSCALING], ids=lambda path: path.name)
def test_alerts_and_autoscalers_need_no_more_than_lean(path: Path) -> None:
    text = path.read_text()
    assert "listen_queue" in text
    assert used(text) == set()


def test_recording_rules_need_no_more_than_lean_but_those_that_say_so() -> None:
    """And nothing that needs lean alone reads what they record."""
    need = {name for name, expression in shipped.records().items() if used(expression)}
    assert need == OF_FULL
    assert NEEDS in shipped.RECORDING.read_text()
    for path in (shipped.ALERTS, *AUTOSCALING, file.FILE):
        assert not [name for name in need if name in path.read_text()], path


def test_what_the_dashboard_shows_when_it_opens_needs_no_more_than_lean() -> None:
    dashboard = file.load()
    *rows, _ = file.rows(dashboard)
    assert used(json.dumps([panels for _, panels in rows])) == set()
    assert used(json.dumps([dashboard["templating"], dashboard["annotations"]])) == set()


def test_panels_that_need_full_say_so_in_one_closed_row_at_the_bottom() -> None:
    *_, (row, panels) = file.rows(file.load())
    assert row["collapsed"]
    assert NEEDS.strip("`") in row["title"]
    for panel in panels:
        assert NEEDS in panel["description"], panel["title"]
        assert all(used(target["expr"]) for target in panel["targets"]), panel["title"]
