"""Every query of the dashboard, sent to a real Prometheus as Grafana sends it."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from testbed.waiting import equals, until
from tests.deploy.dashboard import file, hosts
from tests.deploy.dashboard.grafana import Choice, legend, options
from tests.deploy.dashboard.hosts import EXPORTERS, busy_host, idle_host
from tests.deploy.dashboard.prometheus import Prometheus, Series, Server, VictoriaMetrics

OF_SELECTED_LISTENERS = (
    "Connections waiting",
    "Utilization",
    "Share of time full",
    "Share of time beyond thresholds",
    "How long clients waited",
    "Peak of connections waiting",
    "Peak of half-open connections",
    "Half-open connections of the chosen listener",
    "Oldest wait",
)
# In seconds.
STEP = 1


@pytest.fixture(params=["installed", "newest", "victoria-metrics"])
def kind(request: pytest.FixtureRequest) -> type[Prometheus | VictoriaMetrics]:
    """The Prometheus of this machine's Debian, the newest one, and VictoriaMetrics."""
    if request.param != "installed":
        request.getfixturevalue("newest_monitoring")
    return VictoriaMetrics if request.param == "victoria-metrics" else Prometheus


@pytest.mark.netns
def test_no_query_is_empty_on_a_busy_host(tmp_path: Path, kind: type[Prometheus | VictoriaMetrics]) -> None:
    dashboard = file.load()
    with busy_host(tmp_path, kind) as server:
        every = until(partial(options, server, Choice(dashboard), "listener"), lambda found: len(found) > 5)
        _expect_answers(server, Choice(dashboard, {"listener": every}))


@pytest.mark.netns
def test_no_query_is_empty_on_an_idle_host_and_the_stats_are_0(tmp_path: Path) -> None:
    """An empty panel would look like a failed one."""
    dashboard = file.load()
    with idle_host(tmp_path) as (server, _):
        fullest = until(partial(options, server, Choice(dashboard), "listener"), bool)[:1]
        choice = Choice(dashboard, {"listener": fullest})
        _expect_answers(server, choice)
        for panel in (each for each in file.panels(dashboard) if each["type"] == "stat"):
            until(partial(_now, server, choice, panel["title"]), equals({"": 0.0}))


@pytest.mark.netns
def test_panels_show_what_happens_on_a_busy_host(tmp_path: Path) -> None:
    dashboard = file.load()
    with busy_host(tmp_path) as server:
        ask = partial(
            _now, server, Choice(dashboard, {"listener": [hosts.WEB, str(tmp_path / hosts.REGEX_PATH)]})
        )
        until(partial(ask, "Full now"), equals({"": 4.0}))
        # By two exporters each. The flooded listener, of another process, is beyond it for some seconds only.
        beyond = Choice(dashboard, {"process": ["nginx", "php-fpm", "postgres", "redis-server"]})
        until(partial(_now, server, beyond, "Beyond warning"), equals({"": 6.0}))
        for title, reference in (
            ("Full in the last 5 minutes", "A"),
            ("Overflows in 5 minutes", "A"),
            ("SYN queue full in 5 minutes", "A"),
            ("SYN cookies", "sent"),
            ("SYN cookies", "received"),
            ("SYN cookies", "failed"),
            ("SYNs that found the queue full", "cookies"),
        ):
            until(partial(ask, title, reference, rate="5m"), lambda found: sum(found.values()) > 0)
        # A threshold in per cent is shown as it is, one in connections as a share of backlog + 1.
        for severity, web, php in (("warning", 0.3, 1 / 4), ("critical", 0.7, 2 / 4)):
            levels = until(
                partial(ask, "Utilization", severity, label="process"), lambda found: len(found) == 2
            )
            assert levels == {"nginx": web, "php-fpm": php}
        # No other listener was full.
        until(
            partial(ask, "Overflows by listener, estimated", "estimate", label="process"),
            lambda found: found.get("nginx", 0) > 0 and sum(found.values()) == found["nginx"],
        )
        until(
            partial(ask, "Fullest queue of each namespace", "fullest", label="netns"),
            equals({"host": 1.0, "shop": 0.5}),
        )
        names = {series.labels.get("alertname") for series in _annotations(server, dashboard, "Alert")}
        assert names == {"ListenQueueFull"}


@pytest.mark.netns
def test_panels_show_the_selected_listeners_only(tmp_path: Path) -> None:
    """With several instances and listeners, one of which has a path that is a regular expression."""
    dashboard = file.load()
    path = str(tmp_path / hosts.REGEX_PATH)
    with busy_host(tmp_path) as server:
        until(partial(options, server, Choice(dashboard), "listener"), lambda found: path in found)
        for instances, listeners in (
            (list(EXPORTERS), [hosts.WEB, path]),
            (list(EXPORTERS)[:1], [path]),
            (list(EXPORTERS), [hosts.DATABASE]),
        ):
            choice = Choice(dashboard, {"instance": instances, "listener": listeners})
            _expect_answers(server, choice, but=OF_SELECTED_LISTENERS)
            for title in OF_SELECTED_LISTENERS:
                for target in file.panel(dashboard, title)["targets"]:
                    # The kernel has neither waits nor half-open connections of unix sockets.
                    expected = [
                        each for each in listeners if each != path or not _only_of_tcp(target["expr"])
                    ]
                    until(
                        partial(_shown, server, choice.fill(target["expr"])),
                        equals({(host, each) for host in instances for each in expected}),
                    )
        no_listener = Choice(dashboard, {"listener": ["10.9.9.9:80"]})
        assert (
            server.query(
                no_listener.fill(file.panel(dashboard, OF_SELECTED_LISTENERS[0])["targets"][0]["expr"])
            )
            == []
        )
        (target, *_) = file.panel(dashboard, "Connections waiting")["targets"]
        choice = Choice(dashboard, {"instance": ["web1:10511"], "listener": [path]})
        (series,) = server.query(choice.fill(target["expr"]))
        assert legend(target, series) == f"waiting · php-fpm {path} · host · web1:10511 {hosts.CLUSTER}"


@pytest.mark.netns
def test_an_exporter_that_is_down_is_counted_and_other_jobs_are_not(tmp_path: Path) -> None:
    dashboard = file.load()
    with idle_host(tmp_path) as (server, stopped):
        ask = partial(_now, server, Choice(dashboard))
        until(partial(ask, "CPU", "cpu", label="instance"), lambda found: set(found) == set(EXPORTERS))
        # The default of `cpu_budget`.
        until(partial(ask, "CPU", "budget", label="instance"), equals(dict.fromkeys(EXPORTERS, 0.02)))
        until(partial(ask, "Memory", "memory", label="instance"), lambda found: set(found) == set(EXPORTERS))
        until(partial(ask, "Exporters down or blind"), equals({"": 0.0}))
        stopped.stop()
        until(partial(ask, "Exporters down or blind"), equals({"": 1.0}))
        until(
            partial(ask, "Exporters", "A", label="instance"),
            equals(dict(zip(EXPORTERS, (1.0, 0.0), strict=True))),
        )


def _only_of_tcp(expression: str) -> bool:
    return any(name in expression for name in ("oldest_wait", "accept_wait", "syn_recv"))


def _now(
    server: Server,
    choice: Choice,
    title: str,
    reference: str = "A",
    *,
    label: str = "",
    rate: str = "10s",
) -> dict[str, float]:
    """The values of a query of a panel by a label of its series."""
    (target,) = (
        each for each in file.panel(choice.dashboard, title)["targets"] if each["refId"] == reference
    )
    filled = Choice(choice.dashboard, choice.values, rate).fill(target["expr"])
    return {series.labels.get(label, ""): series.last for series in server.query(filled)}


def _shown(server: Server, filled: str) -> set[tuple[str, str]]:
    return {(series.labels["instance"], series.labels["listener"]) for series in server.query(filled)}


def _annotations(server: Server, dashboard: file.Json, name: str) -> list[Series]:
    (mark,) = (each for each in file.annotation_queries(dashboard) if each.place.endswith(name))
    return until(
        partial(server.query, Choice(dashboard).fill(mark.expression)), lambda found: len(found) > 1
    )[:-1]


def _expect_answers(server: Server, choice: Choice, but: tuple[str, ...] = ()) -> None:
    """Every query of panels and annotations has an answer, now and over the last seconds."""
    for query in (*file.targets(choice.dashboard), *file.annotation_queries(choice.dashboard)):
        if query.place.startswith(but):
            continue
        filled = choice.fill(query.expression)
        found = until(partial(_named, server, query.place, filled), lambda answer: bool(answer[1]))
        if query.ranged:
            now = time.time()
            assert server.query_range(filled, now - 5, now, STEP), found


def _named(server: Server, place: str, filled: str) -> tuple[str, list[Series]]:
    """The answer with the name of the query, for the message of a failure."""
    return place, server.query(filled)
