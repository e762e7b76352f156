"""The owner column of the listeners' table, with and without container labels of the targets."""

from __future__ import annotations

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from testbed.waiting import equals, until
from tests.deploy.dashboard import file
from tests.deploy.dashboard.grafana import Choice, table
from tests.deploy.dashboard.prometheus import Prometheus

OWNERS = {
    "1": ("", "", "", "", "-"),
    "2": ("nginx.service", "", "", "", "nginx.service"),
    "3": ("docker.service", "web", "a1b2", "", "web"),
    "4": ("kubelet.service", "app", "c3d4", "shop-7d4b9", "shop-7d4b9/app"),
}
# Labels of the exporter itself, as the Prometheus operator adds them to a target.
OF_A_CLUSTER = {"pod": "exporter-x1", "container": "exporter", "namespace": "monitoring"}


class OwnersPage(BaseHTTPRequestHandler):
    """A page of an exporter with a listener of each kind of owner."""

    def do_GET(self) -> None:
        """Answer a scrape."""
        self.send_response(200)
        self.end_headers()
        for port, (unit, container, number, pod, _) in OWNERS.items():
            place = f'netns="host",protocol="tcp",address="::",port="{port}",process="p"'
            owner = f'unit="{unit}",container="{container}",container_id="{number}",pod="{pod}"'
            self.wfile.write(f"listen_queue_accept_utilization_ratio{{{place}}} 0\n".encode())
            self.wfile.write(f"listen_queue_listener_info{{{place},{owner}}} 1\n".encode())

    def log_message(self, *_: object) -> None:
        """Do not log."""


@pytest.mark.netns
@pytest.mark.parametrize("labels", [{}, OF_A_CLUSTER], ids=["plain", "cluster"])
def test_the_owner_is_pod_and_container_else_the_unit(labels: dict[str, str], tmp_path: Path) -> None:
    dashboard = file.load()
    with HTTPServer(("127.0.0.1", 10511), OwnersPage) as page:
        with Prometheus(tmp_path, {"host": 10511}, labels=labels) as server:
            # After Prometheus was forked: a process with threads must not fork.
            threading.Thread(target=page.serve_forever, daemon=True).start()
            until(server.ready, equals(wanted=True))
            until(
                partial(_owners, server, Choice(dashboard), file.panel(dashboard, "Listeners")),
                equals({port: owner for port, (*_, owner) in OWNERS.items()}),
            )
        page.shutdown()


def _owners(server: Prometheus, choice: Choice, panel: file.Json) -> dict[str, object]:
    return {str(row["Port"]): row.get("Pod, container or unit") for row in table(server, choice, panel)}
