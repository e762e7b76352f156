"""The dashboard is what its Python makes, can be imported as it is, and refers to what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

from tests.deploy.dashboard import file
from tests.deploy.dashboard.promql import selectors

DOCS = file.ROOT / "docs"
ADDRESS = "https://github.com/listen-queue-exporter/listen-queue-exporter/blob/main/docs/"
WIDTH = 24
# Of Prometheus itself, or of every process that it scrapes.
ELSEWHERE = {
    "ALERTS",
    "up",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
# `$1` and `$2` are groups of a pattern.
BUILT_IN = {"__rate_interval", "1", "2"}


def test_it_is_what_the_command_writes(tmp_path: Path) -> None:
    """`make dashboard` was not forgotten."""
    written = tmp_path / "written.json"
    subprocess.run(
        [sys.executable, "-m", "deploy.grafana", str(written)], cwd=file.ROOT, check=True, timeout=60
    )
    assert written.read_text() == file.FILE.read_text()


def test_it_can_be_imported_anywhere_and_again() -> None:
    dashboard = file.load()
    assert dashboard["uid"] == "listen-queue"
    assert dashboard["title"] == "Listen queues"
    assert "id" not in dashboard
    assert "version" not in dashboard
    assert dashboard["schemaVersion"] >= 36
    assert "listen-queue" in dashboard["tags"]
    # Not what was chosen when somebody saved it. Some Grafanas cannot do without `current`.
    chosen = {each["name"]: each["current"]["value"] for each in dashboard["templating"]["list"]}
    every = {name: ["$__all"] for name in ("job", "instance", "netns", "process")}
    assert chosen == {"datasource": "default", **every, "listener": ""}
    assert not [each["name"] for each in dashboard["templating"]["list"] if "options" in each]


def test_rows_begin_with_what_is_wrong_and_the_rest_can_be_opened() -> None:
    """A closed row asks Prometheus for nothing."""
    assert [(row["title"], row["collapsed"]) for row, _ in file.rows(file.load())] == [
        ("What is wrong now", False),
        ("The chosen listener over time", False),
        ("SYN queues and cookies", True),
        ("Drops and overflows", True),
        ("Network namespaces", True),
        ("The exporter", True),
    ]


def test_panels_fill_the_width_and_lie_on_no_other() -> None:
    for row, panels in file.rows(file.load()):
        places = [panel["gridPos"] for panel in panels]
        for place in places:
            assert place["y"] > row["gridPos"]["y"]
            assert place["x"] + place["w"] <= WIDTH
        for one, other in combinations(places, 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or above, (row["title"], one, other)
        bottom = max(place["y"] + place["h"] for place in places)
        area = sum(place["w"] * place["h"] for place in places)
        assert area == WIDTH * (bottom - row["gridPos"]["y"] - 1), f"there is a hole in {row['title']}"


def test_every_panel_and_row_has_a_number_of_its_own() -> None:
    dashboard = file.load()
    rows = [row for row, _ in file.rows(dashboard)]
    numbers = [each["id"] for each in (*rows, *file.panels(dashboard))]
    assert len(set(numbers)) == len(numbers)


def test_names_in_a_panel_are_its_own() -> None:
    """An override that means another query than there is would do nothing, and nobody would see it."""
    for panel in file.panels(file.load()):
        ref_counts = [target["refId"] for target in panel["targets"]]
        assert len(set(ref_counts)) == len(ref_counts), panel["title"]
        meant = {
            each["matcher"]["options"]
            for each in panel["fieldConfig"]["overrides"]
            if each["matcher"]["id"] == "byFrameRefID"
        }
        assert meant <= set(ref_counts), panel["title"]


def test_every_series_over_time_has_a_legend_that_names_it() -> None:
    dashboard = file.load()
    for panel in file.panels(dashboard):
        for target in panel["targets"]:
            if target.get("range"):
                assert target["legendFormat"], panel["title"]
            if (
                "$listener" in target["expr"]
                and panel["type"] == "timeseries"
                and "rule" not in target["expr"]
            ):
                assert "{{process}} {{listener}}" in target["legendFormat"], panel["title"]


def test_it_asks_for_metrics_that_the_reference_has() -> None:
    known = set(re.findall(r"`(listen_queue_\w+)`", (DOCS / "metrics.md").read_text())) | ELSEWHERE
    dashboard = file.load()
    for query in (*file.targets(dashboard), *file.marks(dashboard)):
        for each in selectors(query.expression):
            assert each.metric.removesuffix("_bucket") in known, query.place


def test_it_asks_with_variables_that_it_has() -> None:
    dashboard = file.load()
    known = {each["name"] for each in dashboard["templating"]["list"]} | BUILT_IN
    asked = [query.expression for query in (*file.targets(dashboard), *file.marks(dashboard))]
    asked += [each["query"] for each in dashboard["templating"]["list"]]
    for expression in asked:
        assert set(re.findall(r"\$\{?(\w+)", expression)) <= known, expression


def test_variables_ask_only_for_those_before_them() -> None:
    """Grafana could not tell where to begin."""
    before: set[str] = set()
    for each in file.load()["templating"]["list"]:
        asked = set(re.findall(r"\$(\w+)", each["query"])) - BUILT_IN
        assert asked <= before, each["name"]
        before.add(each["name"])


def test_links_lead_to_documents_that_there_are() -> None:
    dashboard = file.load()
    links = [
        *dashboard["links"],
        *(link for panel in file.panels(dashboard) for link in panel.get("links", [])),
    ]
    outside = [link["url"] for link in links if not link["url"].startswith("/d/listen-queue?")]
    assert len(outside) == len(links) - 1
    for url in outside:
        name, _, section = url.removeprefix(ADDRESS).partition("#")
        text = (DOCS / name).read_text()
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert not section or section in {heading.lower().replace(" ", "-") for heading in headings}, url


def test_every_number_on_top_leads_to_a_runbook() -> None:
    for panel in file.panels(file.load()):
        if panel["type"] == "stat":
            assert [link["url"].partition("#")[0] for link in panel["links"]] == [f"{ADDRESS}runbooks.md"]
