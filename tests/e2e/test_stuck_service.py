"""ListenQueueStuck: for a service that accepts nothing, not for one that is as full and accepts slowly."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from testbed import process_tree
from testbed.daemon import running
from testbed.waiting import equals, until
from tests.e2e import shipped
from tests.e2e.monitoring import Monitoring
from tests.e2e.services import gunicorn, redis
from tests.e2e.waiting_clients import WaitingClients

# In place of more than a minute.
_DIVISOR = 4
_DEADLINE_SECONDS = 120.0
_PAUSE_SECONDS = 0.2
_EVALUATIONS = 5
# Several samples: the exporter has to see that the queue of the slow service is not always full.
_FREE_SECONDS = 0.25
_CONFIG = "sampling: {cpu_budget: 100%}\ndefaults: {release: 0s}\n"
_TIME_FULL = re.compile(r"unless rate\([^)]*\) < 0\.95")


@pytest.mark.netns
def test_only_the_service_that_accepts_nothing_is_called_stuck(folder: Path) -> None:
    with ExitStack() as stack:
        rule_files = shipped.shortened_rule_files(folder, _DIVISOR)
        monitoring = stack.enter_context(Monitoring(folder, rule_files=rule_files))
        stuck, slow = redis.service(folder), gunicorn.service(folder, backlog=100, workers=1, seconds=2)
        stopped = stack.enter_context(stuck.running())
        stack.enter_context(slow.running())
        process_tree.stop(stopped.pid)
        # Before the exporter starts: no sample sees a queue that is not full yet.
        waiting, served = (
            stack.enter_context(WaitingClients(stuck)),
            stack.enter_context(WaitingClients(slow)),
        )
        waiting.fill()
        _refill(served, slow.listener.backlog)
        stack.enter_context(running(config=_CONFIG))
        monitoring.wait_ready()

        def wait(condition: Callable[[], bool]) -> None:
            deadline = time.monotonic() + _DEADLINE_SECONDS
            while not condition():
                assert time.monotonic() < deadline
                _refill(served, slow.listener.backlog)
                time.sleep(_PAUSE_SECONDS)

        wait(lambda: monitoring.states("ListenQueueStuck", stuck.endpoint) == {"firing"})
        wait(lambda: monitoring.states("ListenQueueFull", stuck.endpoint) == {"suppressed"})
        # All else that the rule asks for holds for the slow one as well, in several evaluations.
        expression = f"count_over_time(({_without_time_full(rule_files)})[5m:1s])"
        slow_labels = ("port", slow.endpoint.port)
        wait(
            lambda: any(
                slow_labels in labels and count >= _EVALUATIONS
                for labels, count in monitoring.prometheus.query(expression).items()
            )
        )
        assert monitoring.ever_firing("ListenQueueStuck") == {stuck.endpoint}

        process_tree.resume(stopped.pid)
        assert waiting.receive_replies()
        until(lambda: monitoring.listeners("ListenQueueStuck"), equals(set()))
        until(lambda: monitoring.states("ListenQueueFull", stuck.endpoint), equals(set()))
        assert stuck.answers(stuck.listener)
        monitoring.expect_valid_alerts()


@pytest.mark.netns
def test_a_service_whose_clients_all_ended_with_rst_is_called_stuck(folder: Path) -> None:
    """Nothing shows the age of such a connection, and the queue is as full as before."""
    with ExitStack() as stack:
        rule_files = shipped.shortened_rule_files(folder, _DIVISOR)
        monitoring = stack.enter_context(Monitoring(folder, rule_files=rule_files))
        service = redis.service(folder)
        stopped = stack.enter_context(service.running())
        process_tree.stop(stopped.pid)
        waiting = stack.enter_context(WaitingClients(service))
        waiting.fill()
        waiting.reset()
        exporter = stack.enter_context(running(config=_CONFIG))
        monitoring.wait_ready()
        until(
            lambda: monitoring.states("ListenQueueStuck", service.endpoint),
            equals({"firing"}),
            _DEADLINE_SECONDS,
        )
        page = exporter.metrics()
        port = service.endpoint.port
        assert page.all("listen_queue_accept_oldest_wait_seconds", port=port) == {}
        assert page.value("listen_queue_accept_length", port=port) == service.listener.backlog + 1
        process_tree.resume(stopped.pid)
        until(lambda: monitoring.listeners("ListenQueueStuck"), equals(set()))
        monitoring.expect_valid_alerts()


def _refill(clients: WaitingClients, backlog: int) -> None:
    """Replace the clients that were accepted, some samples later; the one worker accepts none meanwhile."""
    free = backlog + 1 - clients.length()
    if free > 0:
        time.sleep(_FREE_SECONDS)
        clients.connect(free)


def _without_time_full(rule_files: list[Path]) -> str:
    """The expression of the rule without the part about the time in which the queue was full."""
    (expression,) = (
        rule["expr"]
        for file in rule_files
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if rule.get("alert") == "ListenQueueStuck"
    )
    shorter, count = _TIME_FULL.subn("", expression)
    assert count == 1
    return shorter
