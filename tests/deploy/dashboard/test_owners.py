"""Owners in the table of listeners, with and without container labels of the targets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
# Connections that wait in two containers.
WAITING = {"one": 3, "two": 6}
# Labels of the exporter itself, as the Prometheus operator adds them to a target.
OF_A_CLUSTER = {"pod": "exporter-x1", "container": "exporter", "namespace": "monitoring"}


def _page_of_owners() -> str:
    """A page of an exporter with a listener of each kind of owner."""
    lines = []
    for port, (unit, container, number, pod, _) in OWNERS.items():
        place = f'netns="host",protocol="tcp",address="::",port="{port}",process="p"'
        owner = f'unit="{unit}",container="{container}",container_id="{number}",pod="{pod}"'
        lines.append(f"listen_queue_accept_utilization_ratio{{{place}}} 0\n")
        lines.append(f"listen_queue_listener_info{{{place},{owner}}} 1\n")
    return "".join(lines)


def _page_of_one_path() -> str:
    """A page with one path in two containers of one network namespace, which `labels` tell apart."""
    lines = ['listen_queue_threshold_connections{rule="defaults",queue="accept",severity="warning"} 4\n']
    for container, waiting in WAITING.items():
        place = 'netns="host",protocol="unix",address="/run/app.sock",port="",process="app"'
        owner = f'container="{container}",pod="{container}-0",namespace="prod"'
        for name, value in (
            ("accept_length", waiting),
            ("accept_limit", 7),
            ("sockets", 1),
            ("accept_utilization_ratio", waiting / 8),
        ):
            lines.append(f"listen_queue_{name}{{{place},{owner}}} {value}\n")
        exceeded = f'{place},{owner},queue="accept",severity="warning"'
        lines.append(f"listen_queue_threshold_exceeded{{{exceeded}}} {int(waiting >= 4)}\n")
        more = f'{owner},container_id="c",user="{container}",rule="defaults"'
        lines.append(f"listen_queue_listener_info{{{place},{more}}} 1\n")
    return "".join(lines)


@contextmanager
def _scraped(folder: Path, page: str, labels: Mapping[str, str] | None = None) -> Iterator[Prometheus]:
    """A Prometheus that scrapes a page; `labels` are those of the target."""

    class Served(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 10511), Served) as http:
        with Prometheus(folder, {"host": 10511}, labels=labels) as server:
            # After Prometheus was forked: a process with threads must not fork.
            threading.Thread(target=http.serve_forever, daemon=True).start()
            until(server.ready, equals(wanted=True))
            yield server
        http.shutdown()


@pytest.mark.netns
@pytest.mark.parametrize("labels", [{}, OF_A_CLUSTER], ids=["plain", "cluster"])
def test_the_owner_is_pod_and_container_else_the_unit(labels: dict[str, str], tmp_path: Path) -> None:
    dashboard = file.load()
    with _scraped(tmp_path, _page_of_owners(), labels) as server:
        until(
            partial(_column, server, Choice(dashboard), "Port"),
            equals({port: owner for port, (*_, owner) in OWNERS.items()}),
        )


@pytest.mark.netns
@pytest.mark.parametrize("labels", [{}, OF_A_CLUSTER], ids=["plain", "cluster"])
def test_listeners_that_differ_in_their_owner_alone_are_kept_apart(
    labels: dict[str, str], tmp_path: Path
) -> None:
    dashboard = file.load()
    choice = Choice(dashboard, {"listener": ["/run/app.sock"]})
    with _scraped(tmp_path, _page_of_one_path(), labels) as server:
        until(
            partial(_column, server, choice, "Waiting"),
            equals({float(waiting): f"{name}-0/{name}" for name, waiting in WAITING.items()}),
        )
        until(partial(_column, server, choice, "State"), equals({0.0: "one-0/one", 1.0: "two-0/two"}))
        # Both have one rule, and this line is by the rule.
        (warning,) = (
            each for each in file.panel(dashboard, "Utilization")["targets"] if each["refId"] == "warning"
        )
        (series,) = server.query(choice.fill(warning["expr"]))
        assert series.last == 4 / 8


def _column(server: Prometheus, choice: Choice, title: str) -> dict[object, object]:
    """The owners of the listeners, by their values in a column."""
    rows = table(server, choice, file.panel(choice.dashboard, "Listeners"))
    return {row.get(title): row.get("Pod, container or unit") for row in rows}
