"""The committed JSON is that of the generator, can be imported, and refers to things that exist."""

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
# Metrics of Prometheus, and of every process that it scrapes.
OTHER_METRICS = {
    "ALERTS",
    "up",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
# `$1` and `$2` are groups of regular expressions.
BUILT_IN = {"__rate_interval", "1", "2"}


def test_it_is_the_output_of_the_generator(tmp_path: Path) -> None:
    """`make deploy` was run after the last change."""
    written = tmp_path / "written.json"
    subprocess.run(
        [sys.executable, "-m", "deploy.grafana", str(written)], cwd=file.ROOT, check=True, timeout=60
    )
    assert written.read_text() == file.FILE.read_text()


def test_it_can_be_imported_into_any_grafana() -> None:
    dashboard = file.load()
    assert dashboard["uid"] == "listen-queue"
    assert dashboard["title"] == "Listen queues"
    assert "id" not in dashboard
    assert "version" not in dashboard
    assert dashboard["schemaVersion"] >= 36
    assert "listen-queue" in dashboard["tags"]
    # Some versions of Grafana need `current`, but it must not have the values of one installation.
    chosen = {each["name"]: each["current"]["value"] for each in dashboard["templating"]["list"]}
    every = {name: ["$__all"] for name in ("cluster", "job", "instance", "netns", "process")}
    assert chosen == {"datasource": "default", **every, "listener": ""}
    assert not [each["name"] for each in dashboard["templating"]["list"] if "options" in each]


def test_the_first_two_rows_are_open_and_the_others_collapsed() -> None:
    """Grafana sends no queries of collapsed rows."""
    assert [(row["title"], row["collapsed"]) for row, _ in file.rows(file.load())] == [
        ("What is wrong now", False),
        ("The chosen listener over time", False),
        ("SYN queues and cookies", True),
        ("Drops and overflows", True),
        ("Network namespaces", True),
        ("The exporter", True),
        ("The chosen listener in full (export: full)", True),
    ]


def test_panels_fill_the_width_and_do_not_overlap() -> None:
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


def test_ids_of_panels_and_rows_are_unique() -> None:
    dashboard = file.load()
    rows = [row for row, _ in file.rows(dashboard)]
    numbers = [each["id"] for each in (*rows, *file.panels(dashboard))]
    assert len(set(numbers)) == len(numbers)


def test_ids_of_queries_are_unique_and_overrides_refer_to_them() -> None:
    """An override for a query that does not exist would have no effect."""
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


def test_its_metrics_are_in_the_reference() -> None:
    known = set(re.findall(r"`(listen_queue_\w+)`", (DOCS / "metrics.md").read_text())) | OTHER_METRICS
    dashboard = file.load()
    for query in (*file.targets(dashboard), *file.annotation_queries(dashboard)):
        for each in selectors(query.expression):
            assert each.metric.removesuffix("_bucket") in known, query.place


def test_its_expressions_have_its_own_variables() -> None:
    dashboard = file.load()
    known = {each["name"] for each in dashboard["templating"]["list"]} | BUILT_IN
    asked = [query.expression for query in (*file.targets(dashboard), *file.annotation_queries(dashboard))]
    asked += [each["query"] for each in dashboard["templating"]["list"]]
    for expression in asked:
        assert set(re.findall(r"\$\{?(\w+)", expression)) <= known, expression


def test_every_selector_matches_the_chosen_clusters() -> None:
    for query in (*file.targets(file.load()), *file.annotation_queries(file.load())):
        for each in selectors(query.expression):
            assert 'cluster=~"$cluster"' in each.matchers, query.place


def test_variables_depend_on_earlier_ones_only() -> None:
    """Grafana queries them in their order."""
    before: set[str] = set()
    for each in file.load()["templating"]["list"]:
        asked = set(re.findall(r"\$(\w+)", each["query"])) - BUILT_IN
        assert asked <= before, each["name"]
        before.add(each["name"])


def test_links_lead_to_documents_and_headings_that_exist() -> None:
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


def test_every_stat_links_to_a_runbook() -> None:
    for panel in file.panels(file.load()):
        if panel["type"] == "stat":
            assert [link["url"].partition("#")[0] for link in panel["links"]] == [f"{ADDRESS}runbooks.md"]
