"""The tables of the dashboard have a row for each listener, host or namespace, with all columns."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from testbed.waiting import until
from tests.deploy.dashboard import file, hosts
from tests.deploy.dashboard.grafana import Choice, table
from tests.deploy.dashboard.hosts import EXPORTERS, busy_host
from tests.deploy.dashboard.prometheus import Prometheus

LISTENERS = (
    "State",
    "Host",
    "Netns",
    "Process",
    "Pod, container or unit",
    "Address",
    "Port",
    "Waiting",
    "Limit",
    "Utilization",
    "Peak",
    "Full, 5 min",
    "Oldest wait",
    "SYN queue",
    "Listener",
)
TCP_COLUMNS = {"Oldest wait", "SYN queue"}


# The values that each exporter has for the listeners of the busy host, by namespace and listener.
EXPECTED: dict[tuple[str, str], dict[str, object]] = {
    ("host", hosts.WEB): {
        "State": 2,
        "Process": "nginx",
        "Address": "0.0.0.0",
        "Port": "8080",
        "Waiting": 4,
        "Limit": 3,
        "Utilization": 1,
        "Peak": 1,
        "SYN queue": 0,
    },
    ("host", hosts.REGEX_PATH): {"State": 2, "Process": "php-fpm", "Port": "", "Utilization": 1},
    ("host", hosts.DATABASE): {"State": 0, "Process": "postgres", "Waiting": 4},
    ("shop", "0.0.0.0:6379"): {"State": 1, "Process": "redis-server", "Utilization": 0.5},
}


@pytest.mark.netns
@pytest.mark.timeout(180)
def test_listeners_have_a_row_each_with_every_column(tmp_path: Path) -> None:
    panel = file.panel(file.load(), "Listeners")
    path = str(tmp_path / hosts.REGEX_PATH)
    with busy_host(tmp_path) as server:
        rows = until(partial(_rows, server, panel), partial(_has_expected, tmp_path))
    named = {(row["Host"], row["Netns"], row["Listener"]): row for row in rows}
    assert len(named) == len(rows), "a listener has two rows"
    for host in EXPORTERS:
        web = named[host, "host", hosts.WEB]
        assert tuple(web) == LISTENERS
        assert web["Oldest wait"] > 0
        php = named[host, "host", path]
        assert set(LISTENERS) - set(php) == TCP_COLUMNS
        assert php["Address"] == path
    _expect_columns(panel, rows)


@pytest.mark.netns
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("title", "labels", "expected"),
    [
        (
            "Settings of the kernel",
            ("Host", "Netns"),
            [(host, netns) for host in EXPORTERS for netns in ("host", "shop")],
        ),
        ("Exporters", ("Host",), [(host,) for host in EXPORTERS]),
    ],
    ids=["namespaces", "exporters"],
)
def test_namespaces_and_exporters_have_a_row_each_with_every_column(
    title: str, labels: tuple[str, ...], expected: list[tuple[str, ...]], tmp_path: Path
) -> None:
    panel = file.panel(file.load(), title)
    with busy_host(tmp_path) as server:
        rows = until(
            partial(_rows, server, panel),
            lambda found: sorted(tuple(row[label] for label in labels) for row in found) == expected,
        )
    _expect_columns(panel, rows)


def _rows(server: Prometheus, panel: file.Json) -> list[dict[str, Any]]:
    return table(server, Choice(file.load()), panel)


def _has_expected(folder: Path, rows: list[dict[str, Any]]) -> bool:
    """Whether each exporter has a row with all columns, and rows with the expected values."""
    found = {(row["Host"], row["Netns"], row["Listener"]): row for row in rows}
    complete = {row["Host"] for row in rows if set(row) == set(LISTENERS)}
    return complete == set(EXPORTERS) and all(
        wanted.items() <= found.get((host, netns, _full_name(folder, listener)), {}).items()
        for host in EXPORTERS
        for (netns, listener), wanted in EXPECTED.items()
    )


def _full_name(folder: Path, listener: str) -> str:
    return str(folder / listener) if listener == hosts.REGEX_PATH else listener


def _expect_columns(panel: file.Json, rows: list[dict[str, Any]]) -> None:
    """The settings of a table are for columns that exist."""
    columns = set().union(*rows)
    organize = panel["transformations"][1]["options"]
    assert set(organize["renameByName"].values()) == columns
    assert set(organize["indexByName"]) == set(organize["renameByName"])
    assert {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]} <= columns
    assert {each["displayName"] for each in panel["options"]["sortBy"]} <= columns
    links = [
        link["url"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "links"
        for link in each["value"]
    ]
    assert {name for link in links for name in re.findall(r"__data\.fields\.(\w+)", link)} <= columns
