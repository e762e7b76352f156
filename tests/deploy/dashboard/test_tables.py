"""The tables of the dashboard: a line for each listener, host or namespace, with the columns promised."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from testbed.waiting import until
from tests.deploy.dashboard import file, scene
from tests.deploy.dashboard.grafana import Choice, table
from tests.deploy.dashboard.scene import EXPORTERS, busy

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
OF_TCP_ALONE = {"Oldest wait", "SYN queue"}


@pytest.mark.netns
@pytest.mark.timeout(180)
def test_each_has_a_line_for_each_with_every_column(tmp_path: Path) -> None:
    dashboard = file.load()
    odd = str(tmp_path / scene.ODD)
    with busy(tmp_path) as server:
        ask = partial(table, server, Choice(dashboard, {"listener": [odd]}))
        lines = until(partial(ask, file.panel(dashboard, "Listeners")), partial(_complete, set(LISTENERS)))
        named = {(line["Host"], line["Netns"], line["Listener"]): line for line in lines}
        assert len(named) == len(lines), "a listener has two lines"
        for host in EXPORTERS:
            web = named[host, "host", scene.WEB]
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
            php = named[host, "host", odd]
            assert set(LISTENERS) - set(php) == OF_TCP_ALONE
            assert (php["Address"], php["Port"], php["Process"], php["State"]) == (odd, "", "php-fpm", 2)
            neighbour = named[host, "shop", "0.0.0.0:6379"]
            assert (neighbour["Process"], neighbour["Utilization"], neighbour["State"]) == (
                "redis-server",
                0.5,
                1,
            )
            database = named[host, "host", scene.DATABASE]
            assert (database["Process"], database["Waiting"], database["State"]) == ("postgres", 4, 0)
        settings = ask(file.panel(dashboard, "Settings of the kernel"))
        assert {(line["Host"], line["Netns"]) for line in settings} == {
            (host, netns) for host in EXPORTERS for netns in ("host", "shop")
        }
        assert len(settings) == 4
        exporters = ask(file.panel(dashboard, "Exporters"))
        assert [line["Host"] for line in exporters] == list(EXPORTERS)
        for title, found in (
            ("Listeners", lines),
            ("Settings of the kernel", settings),
            ("Exporters", exporters),
        ):
            _expect_columns(file.panel(dashboard, title), set().union(*found))


def _complete(columns: set[str], lines: list[dict[str, Any]]) -> bool:
    """Whether there is a line for each exporter that has all it can have."""
    return {line["Host"] for line in lines if set(line) == columns} == set(EXPORTERS)


def _expect_columns(panel: file.Json, columns: set[str]) -> None:
    """What a table says about columns it says about those that are there."""
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
