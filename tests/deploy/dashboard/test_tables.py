"""The tables of the dashboard have a row for each listener, host or namespace, with all columns."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from testbed.waiting import equals, until
from tests.deploy.dashboard import file, hosts
from tests.deploy.dashboard.grafana import Choice, table
from tests.deploy.dashboard.hosts import EXPORTERS, busy_host
from tests.deploy.dashboard.prometheus import Server

LISTENERS = (
    "State",
    "Cluster",
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
        "Cluster": hosts.CLUSTER,
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
def test_listeners_have_a_row_each_with_every_column(tmp_path: Path) -> None:
    panel = file.panel(file.load(), "Listeners")
    with busy_host(tmp_path) as server:
        rows: list[dict[str, Any]] = []

        def wrong() -> list[str]:
            rows[:] = _rows(server, panel)
            return _wrong_in(rows, tmp_path)

        until(wrong, equals([]))
    _expect_columns(panel, rows)


@pytest.mark.netns
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
            lambda found: (
                sorted(tuple(row[label] for label in labels) for row in found) == expected
                and set().union(*found) == _columns(panel)
            ),
        )
    _expect_columns(panel, rows)


def _rows(server: Server, panel: file.Json) -> list[dict[str, Any]]:
    return table(server, Choice(file.load()), panel)


def _wrong_in(rows: list[dict[str, Any]], folder: Path) -> list[str]:
    """What is not as expected in the rows of the listeners; the unix socket is in `folder`."""
    path = str(folder / hosts.REGEX_PATH)
    # A scrape between two queries may bring a listener that the first of them has not.
    named = {(row["Host"], row["Netns"], row.get("Listener")): row for row in rows}
    wrong = [] if len(named) == len(rows) else [f"some listeners have two rows: {rows}"]
    for host in EXPORTERS:
        for (netns, listener), expected in EXPECTED.items():
            row = named.get((host, netns, path if listener == hosts.REGEX_PATH else listener), {})
            if not expected.items() <= row.items():
                wrong.append(f"{listener} at {host} is {row}")
        web, php = named.get((host, "host", hosts.WEB), {}), named.get((host, "host", path), {})
        if tuple(web) != LISTENERS or not web["Oldest wait"] > 0:
            wrong.append(f"columns of {web}")
        if set(LISTENERS) - set(php) != TCP_COLUMNS or php["Address"] != path:
            wrong.append(f"columns of {php}")
    return wrong


def _columns(panel: file.Json) -> set[str]:
    return set(panel["transformations"][1]["options"]["renameByName"].values())


def _expect_columns(panel: file.Json, rows: list[dict[str, Any]]) -> None:
    """The settings of a table are for columns that exist."""
    columns = set().union(*rows)
    organize = panel["transformations"][1]["options"]
    assert _columns(panel) == columns
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
