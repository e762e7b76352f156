"""VictoriaMetrics scrapes the real exporter, and vmalert evaluates the same rules as Prometheus."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.victoria_metrics import VictoriaMetrics, Vmalert
from testbed.waiting import equals, until
from tests.deploy.alerts import shipped
from tests.integration import listening_sockets

PORT, BACKLOG = 8080, 3
FAST = "sampling: {interval: 10ms, cpu_budget: 100%}\n"


@pytest.fixture(autouse=True)
def newest(newest_monitoring: None) -> None:
    """Only Debian's newest release has these programs."""


@pytest.mark.netns
def test_every_rule_is_evaluated_and_an_alert_names_the_listener(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(VictoriaMetrics(tmp_path))
        listener = stack.enter_context(listening_sockets.tcp("0.0.0.0", PORT, BACKLOG))
        stack.enter_context(running(config=FAST))
        length = f'listen_queue_accept_length{{port="{PORT}"}}'
        until(partial(server.value, length), equals(0))
        alerting = stack.enter_context(Vmalert(tmp_path, [shipped.ALERTS, shipped.RECORDING]))
        for client in listening_sockets.clients(listener, BACKLOG + 1):
            stack.enter_context(client)
        until(partial(server.value, length), equals(BACKLOG + 1))
        firing = f'ALERTS{{alertname="ListenQueueFull",alertstate="firing",port="{PORT}"}}'
        until(partial(server.value, firing), equals(1))
        recorded = "service:listen_queue_accept_utilization_ratio:max"
        until(partial(server.value, f'{recorded}{{port="{PORT}"}}'), lambda found: found is not None)
        rules = until(alerting.rules, bool)
        assert {rule["name"] for rule in rules} == {*shipped.alert_names(), *shipped.records()}
        until(lambda: unhealthy(alerting), equals([]))
        # Here `$labels` has those of the rule too, such as `severity`, and not those of the series alone.
        (text,) = descriptions(alerting, "ListenQueueFull")
        assert text.startswith(f"{BACKLOG + 1} connections wait for ")
        assert f"; the backlog is {BACKLOG}. The oldest has waited " in text


def unhealthy(alerting: Vmalert) -> list[tuple[str, str]]:
    """Name and error of every rule that was not evaluated without one."""
    return [
        (rule["name"], rule["lastError"])
        for rule in alerting.rules()
        if rule["health"] != "ok" or rule["lastError"]
    ]


def descriptions(alerting: Vmalert, name: str) -> list[str]:
    """The descriptions of the alerts of this name."""
    return [
        alert["annotations"]["description"]
        for rule in alerting.rules()
        if rule["name"] == name
        for alert in rule["alerts"]
    ]
