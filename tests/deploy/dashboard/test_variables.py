"""The options of the dashboard's variables, and what is shown where one is selected."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.waiting import equals, until
from tests.deploy.dashboard import file
from tests.deploy.dashboard.grafana import Choice, options
from tests.deploy.dashboard.prometheus import Prometheus, PrometheusError
from tests.integration import hostile_names, listening_sockets
from tests.integration.metric_values import EAGER
from tests.integration.service import Service

ABSTRACT = [name for name in hostile_names.ABSTRACT if b'"' not in name]
TCP = {"127.0.0.1:8080": ("127.0.0.1", 8080), "[::1]:8080": ("::1", 8080), "[::]:9000": ("::", 9000)}
VALUES: tuple[dict[str, list[str]], ...] = (
    {"listener": ["0.0.0.0:80"]},
    {"listener": []},
    {
        "cluster": ["east"],
        "job": ["a"],
        "instance": ["host.example:10511"],
        "netns": ["host"],
        "process": [""],
        "listener": ["@x"],
    },
    {
        "cluster": ["east", "we.st"],
        "job": ["a", "b|c"],
        "instance": ["[::1]:10511", "h2"],
        "netns": ["4026532178", "shop"],
        "process": ["we'ird", r"b\x5cc"],
        "listener": [r"/run/p(h)p+[1].{2}^$|*?.sock", r"@a\x0ab", "it's"],
    },
)


@pytest.mark.netns
def test_every_listener_is_an_option_that_shows_it_alone(tmp_path: Path) -> None:
    """With any name without double quotes, which Grafana does not escape."""
    dashboard = file.load()
    with ExitStack() as stack:
        for address, port in TCP.values():
            stack.enter_context(listening_sockets.tcp(address, port, v6only=True))
        stack.enter_context(
            Service(
                hostile_names.PROCESS,
                lambda: [listening_sockets.unix(b"\0" + name) for name in hostile_names.ABSTRACT],
            )
        )
        stack.enter_context(running(config=EAGER))
        server = stack.enter_context(Prometheus(tmp_path, {"one": 10511}))
        until(server.ready, equals(wanted=True))
        wanted = {
            *TCP,
            *(hostile_names.ABSTRACT[name] for name in ABSTRACT),
            "127.0.0.1:10511",
            "127.0.0.1:9090",
        }
        found_options = until(
            partial(options, server, Choice(dashboard), "listener"), lambda found: set(found) == wanted
        )
        assert len(found_options) == len(wanted)
        target = file.panel(dashboard, "Connections waiting")["targets"][0]
        for name in wanted:
            (found,) = server.query(Choice(dashboard, {"listener": [name]}).fill(target["expr"]))
            assert found.labels["listener"] == name
        assert options(server, Choice(dashboard), "cluster") == []
        assert options(server, Choice(dashboard), "job") == ["listen-queue"]
        assert options(server, Choice(dashboard, {"job": ["listen-queue"]}), "instance") == ["one"]
        assert options(server, Choice(dashboard), "netns") == ["host"]
        assert hostile_names.PROCESS_LABEL in options(server, Choice(dashboard), "process")


@pytest.mark.netns
def test_the_fullest_listener_is_the_first_option(tmp_path: Path) -> None:
    """Grafana selects it when the dashboard opens, since there is no All."""
    dashboard = file.load()
    with ExitStack() as stack:
        for port, waiting in ((8001, 1), (8002, 5), (8003, 3)):
            listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", port, 9))
            for client in listening_sockets.clients(listener, waiting):
                stack.enter_context(client)
        stack.enter_context(running(config=EAGER))
        server = stack.enter_context(Prometheus(tmp_path, {"one": 10511}))
        until(server.ready, equals(wanted=True))
        until(
            lambda: options(server, Choice(dashboard), "listener")[:3],
            equals(["127.0.0.1:8002", "127.0.0.1:8003", "127.0.0.1:8001"]),
        )
        asked = file.variable(dashboard, "listener")
        assert (asked["includeAll"], asked["sort"], asked["current"]["value"]) == (False, 0, "")


@pytest.mark.netns
def test_prometheus_parses_every_query_with_any_values(tmp_path: Path) -> None:
    dashboard = file.load()
    with Prometheus(tmp_path, {}) as server:
        until(server.ready, equals(wanted=True))
        for values in VALUES:
            choice = Choice(dashboard, values)
            for query in (*file.targets(dashboard), *file.annotation_queries(dashboard)):
                server.formatted(choice.fill(query.expression))
            for name in ("cluster", "job", "instance", "netns", "process", "listener"):
                options(server, choice, name)
        with pytest.raises(PrometheusError, match="parse error"):
            server.formatted("rate(up[5m)")
