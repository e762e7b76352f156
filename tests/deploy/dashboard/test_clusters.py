"""Two clusters in one Prometheus, each with a host of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.waiting import equals, until
from tests.deploy.dashboard import file
from tests.deploy.dashboard.grafana import Choice, legend, options, table
from tests.deploy.dashboard.prometheus import Prometheus
from tests.integration.metric_values import EAGER

HOST = "node-1"
CLUSTERS = {"east": 10511, "west": 10512}
EXPORTERS: Mapping[str, int] = {f"{cluster}/{HOST}": port for cluster, port in CLUSTERS.items()}


@pytest.mark.netns
def test_each_cluster_has_rows_and_lines_of_its_own_and_can_be_chosen(tmp_path: Path) -> None:
    dashboard = file.load()
    with ExitStack() as stack:
        for port in CLUSTERS.values():
            stack.enter_context(running(config=EAGER, port=port))
        server = stack.enter_context(Prometheus(tmp_path, EXPORTERS))
        until(server.ready, equals(wanted=True))
        until(partial(options, server, Choice(dashboard), "cluster"), equals([*CLUSTERS]))
        for chosen in ([*CLUSTERS], ["west"]):
            choice = Choice(dashboard, {"cluster": chosen, "listener": ["127.0.0.1:9090"]})
            assert options(server, choice, "instance") == [HOST]
            # One listener, one network namespace, one exporter.
            for title, of in (
                ("Listeners", {"Port": "9090"}),
                ("Settings of the kernel", {"Netns": "host"}),
                ("Exporters", {"Up": 1.0}),
            ):
                until(partial(_rows, server, choice, title, of), equals([(each, HOST) for each in chosen]))
            (target, _) = file.panel(dashboard, "Connections waiting")["targets"]
            until(
                partial(_legends, server, choice, target),
                equals([f"waiting · prometheus 127.0.0.1:9090 · host · {HOST} {each}" for each in chosen]),
            )


def _rows(
    server: Prometheus, choice: Choice, title: str, of: Mapping[str, object]
) -> list[tuple[object, object]]:
    rows = table(server, choice, file.panel(choice.dashboard, title))
    return sorted((row.get("Cluster"), row["Host"]) for row in rows if of.items() <= row.items())


def _legends(server: Prometheus, choice: Choice, target: file.Json) -> list[str]:
    return sorted(legend(target, series) for series in server.query(choice.fill(target["expr"])))
