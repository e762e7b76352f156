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


@pytest.mark.netns
@pytest.mark.timeout(180)
def test_tables_have_a_row_for_each_with_every_column(tmp_path: Path) -> None:
    dashboard = file.load()
    path = str(tmp_path / hosts.REGEX_PATH)
    with busy_host(tmp_path) as server:
        ask = partial(table, server, Choice(dashboard, {"listener": [path]}))
        rows = until(partial(ask, file.panel(dashboard, "Listeners")), partial(_complete, set(LISTENERS)))
        named = {(row["Host"], row["Netns"], row["Listener"]): row for row in rows}
        assert len(named) == len(rows), "a listener has two rows"
        for host in EXPORTERS:
            web = named[host, "host", hosts.WEB]
            assert tuple(web) == LISTENERS
            expected = {
                "State": 2,
                "Process": "nginx",
                "Address": "0.0.0.0",
                "Port": "8080",
                "Waiting": 4,
                "Limit": 3,
                "Utilization": 1,
                "Peak": 1,
                "SYN queue": 0,
            }
            assert {name: web[name] for name in expected} == expected
            assert web["Oldest wait"] > 0
            php = named[host, "host", path]
            assert set(LISTENERS) - set(php) == TCP_COLUMNS
            assert (php["Address"], php["Port"], php["Process"], php["State"]) == (path, "", "php-fpm", 2)
            other = named[host, "shop", "0.0.0.0:6379"]
            assert (other["Process"], other["Utilization"], other["State"]) == (
                "redis-server",
                0.5,
                1,
            )
            database = named[host, "host", hosts.DATABASE]
            assert (database["Process"], database["Waiting"], database["State"]) == ("postgres", 4, 0)
        settings = ask(file.panel(dashboard, "Settings of the kernel"))
        assert {(row["Host"], row["Netns"]) for row in settings} == {
            (host, netns) for host in EXPORTERS for netns in ("host", "shop")
        }
        assert len(settings) == 4
        exporters = ask(file.panel(dashboard, "Exporters"))
        assert [row["Host"] for row in exporters] == list(EXPORTERS)
        for title, found in (
            ("Listeners", rows),
            ("Settings of the kernel", settings),
            ("Exporters", exporters),
        ):
            _expect_columns(file.panel(dashboard, title), set().union(*found))


def _complete(columns: set[str], rows: list[dict[str, Any]]) -> bool:
    """Whether each exporter has a row with all columns."""
    return {row["Host"] for row in rows if set(row) == columns} == set(EXPORTERS)


def _expect_columns(panel: file.Json, columns: set[str]) -> None:
    """The settings of a table are for columns that exist."""
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
