"""A service that stops accepting is named by the right alert in time, and no longer when it goes on."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from testbed import process_tree
from testbed.daemon import running
from testbed.program import Program
from testbed.waiting import equals, until
from tests.e2e import services
from tests.e2e.alert import Alert
from tests.e2e.due_time import due_time
from tests.e2e.monitoring import Monitoring
from tests.e2e.services.service import Listener, Service
from tests.e2e.waiting_clients import WaitingClients
from tests.integration.reference import Endpoint

_FULL = {"tcp": "ListenQueueFull", "unix": "ListenQueueUnixFull"}


@pytest.mark.netns
def test_each_stopped_service_has_an_alert_until_it_goes_on_and_nothing_else_has(folder: Path) -> None:
    """All at the same time, so that each could be confused with another; the exporter has its defaults.

    Prometheus, Alertmanager, the receiver and the exporter listen as well.
    """
    with ExitStack() as stack:
        monitoring = stack.enter_context(Monitoring(folder))
        started = _start_all(folder, stack)
        owners = {
            listener.endpoint: (service, listener) for service, _ in started for listener in service.listeners
        }
        stack.enter_context(running())
        monitoring.wait_ready()
        for _, program in started:
            process_tree.stop(program.pid)
        clients = {
            endpoint: stack.enter_context(WaitingClients(*owner)) for endpoint, owner in owners.items()
        }
        filled = {endpoint: waiting.fill() for endpoint, waiting in clients.items()}
        until(partial(monitoring.listeners, *_FULL.values()), equals(set(owners)))
        for alert in monitoring.alerts(*_FULL.values()):
            _expect_right_labels_and_text(alert, *owners[alert.listener])
            due = due_time(monitoring.prometheus, alert.listener, filled[alert.listener])
            assert alert.starts <= due.evaluated, f"{alert} was due: {due}"
        for endpoint, waiting in clients.items():
            if endpoint.protocol == "unix":
                assert waiting.try_to_connect() == errno.EAGAIN

        for _, program in started:
            process_tree.resume(program.pid)
        resumed = time.time()
        for waiting in clients.values():
            assert waiting.receive_replies()
            until(waiting.length, equals(0))
        assert all(service.answers(listener) for service, listener in owners.values())
        until(partial(monitoring.listeners, *_FULL.values()), equals(set()))
        until(lambda: set(_last_paged(monitoring, "firing")), equals(set(owners)))
        until(
            lambda: {
                listener: resumed < alert.ends < time.time()
                for listener, alert in _last_paged(monitoring, "resolved").items()
            },
            equals(dict.fromkeys(owners, True)),
        )
        # Alerts of other names, such as of short backlogs, are about the same listeners.
        assert monitoring.ever_firing("ListenQueue.*") == set(owners)
        for protocol, name in _FULL.items():
            assert monitoring.ever_firing(name) == {each for each in owners if each.protocol == protocol}
        assert monitoring.ever_firing("ListenQueueOverflow") == set()
        monitoring.expect_valid_alerts()


def _start_all(folder: Path, stack: ExitStack) -> list[tuple[Service, Program]]:
    """Every service whose program is installed, running; the test is skipped where there is none."""
    found = []
    missing = []
    for name, set_up in services.ALL.items():
        (folder / name).mkdir()
        try:
            service = set_up(folder / name)
        except pytest.skip.Exception as reason:
            missing.append(str(reason))
        else:
            found.append((service, stack.enter_context(service.running())))
    if not found:
        pytest.skip("; ".join(missing))
    return found


def _expect_right_labels_and_text(alert: Alert, service: Service, listener: Listener) -> None:
    endpoint = listener.endpoint
    assert alert.name == _FULL[endpoint.protocol]
    assert alert.labels["netns"] == "host"
    assert alert.labels["process"] == service.process
    assert alert.labels["severity"] == "critical"
    assert service.process in alert.annotations["summary"]
    assert endpoint.address in alert.annotations["summary"]
    numbers = set(re.findall(r"\b\d+\b", alert.annotations["description"]))
    assert numbers >= {str(listener.backlog), str(listener.backlog + 1)}, alert.annotations


def _last_paged(monitoring: Monitoring, state: str) -> Mapping[Endpoint, Alert]:
    """The last notification of the pager about each listener."""
    alerts = monitoring.notified(state, *_FULL.values())
    return {alert.listener: alert for alert in alerts if alert.receiver == "pager"}
