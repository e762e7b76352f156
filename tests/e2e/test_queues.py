"""Which alert names a listener depends on how full its queue is and why; no alert names its neighbours."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from testbed import flood, namespace, process_tree
from testbed.daemon import running
from testbed.waiting import equals, until
from tests.e2e.monitoring import Monitoring
from tests.e2e.services import gunicorn, haproxy, nginx, redis
from tests.e2e.services.service import Service
from tests.e2e.waiting_clients import WaitingClients
from tests.integration import reference
from tests.integration.metric_values import figure
from tests.integration.reference import Endpoint

pytestmark = pytest.mark.usefixtures("monitoring_release")

_TUN = str(flood.Tun.ipv4.ip)
_MAX_CLIENTS = 500
# A threshold is no longer exceeded once the queue is below it, and not 5 s later.
_NO_RELEASE = "defaults: {release: 0s}\n"
# What an alert about a network namespace names.
_NO_LISTENER = Endpoint("", "", "")


@pytest.mark.netns
def test_half_full_nearly_full_overflowing_and_briefly_full_queues_have_different_alerts(
    folder: Path,
) -> None:
    with ExitStack() as stack:
        monitoring = stack.enter_context(Monitoring(folder))
        half, nearly = nginx.service(folder), haproxy.service(folder)
        over, burst = redis.service(folder), gunicorn.service(folder)
        services = (half, nearly, over, burst)
        programs = {each.endpoint: stack.enter_context(each.running()) for each in services}
        daemon = stack.enter_context(running(config=_NO_RELEASE))
        clients = {each.endpoint: stack.enter_context(WaitingClients(each)) for each in services}
        monitoring.wait_ready()
        for program in programs.values():
            process_tree.stop(program.pid)

        clients[half.endpoint].connect((half.listener.backlog + 1) // 2)
        clients[nearly.endpoint].connect(nearly.listener.backlog)
        clients[over.endpoint].fill()
        for _ in range(3):
            clients[over.endpoint].try_to_connect()
        clients[burst.endpoint].fill()
        until(lambda: figure(daemon, "accept_full_seconds_total", port=burst.endpoint.port), bool)
        process_tree.resume(programs[burst.endpoint].pid)
        assert clients[burst.endpoint].receive_replies()

        for name, wanted in (
            ("ListenQueueFull", {over.endpoint}),
            ("ListenQueueNearlyFull", {nearly.endpoint}),
            ("ListenQueueFilling", {half.endpoint, nearly.endpoint, over.endpoint}),
            ("ListenQueueOverflow", {over.endpoint}),
            ("ListenQueueFullAtTimes", {burst.endpoint}),
        ):
            until(partial(monitoring.listeners, name), equals(wanted))
        # The alert of a fuller queue suppresses it.
        until(partial(_firing, monitoring, "ListenQueueFilling"), equals({half.endpoint}))
        # A scrape may see a queue that is being filled, or is full for a moment, at any length.
        passing = {over.endpoint, burst.endpoint}
        assert monitoring.ever_firing("ListenQueueFull") - passing == set()
        assert monitoring.ever_firing("ListenQueueNearlyFull") - passing == {nearly.endpoint}
        assert monitoring.ever_firing("ListenQueueOverflow") == {over.endpoint}
        assert monitoring.ever_firing("ListenQueueFullAtTimes") == {burst.endpoint}
        assert monitoring.ever_firing("ListenQueueSyn.*") == set()
        monitoring.expect_valid_alerts()


@pytest.mark.netns
def test_an_alert_says_what_to_change_where_a_queue_is_full(folder: Path) -> None:
    """A backlog cut by somaxconn, one far below it, and a group of sockets of which one is not served."""
    namespace.write_sysctl("net.core.somaxconn", 64)
    with ExitStack() as stack:
        monitoring = stack.enter_context(Monitoring(folder))
        capped, small = haproxy.service(folder, backlog=4096), redis.service(folder)
        group = nginx.service(folder, backlog=50, reuse_port=True)
        programs = {each.endpoint: stack.enter_context(each.running()) for each in (capped, small, group)}
        stack.enter_context(running())
        monitoring.wait_ready()
        process_tree.stop(programs[capped.endpoint].pid)
        process_tree.stop(programs[small.endpoint].pid)
        stack.enter_context(WaitingClients(capped, replace(capped.listener, backlog=64))).fill()
        stack.enter_context(WaitingClients(small)).fill()
        process_tree.stop_last_child(programs[group.endpoint].pid)
        _fill_one_socket(stack.enter_context(WaitingClients(group)), group)

        advice = {
            "ListenQueueBacklogCapped": {capped.endpoint},
            "ListenQueueBacklogSmall": {small.endpoint},
            "ListenQueueReuseportSkewed": {group.endpoint},
        }
        for name, wanted in advice.items():
            until(partial(monitoring.listeners, name), equals(wanted))
        until(
            partial(monitoring.listeners, "ListenQueueFull"),
            equals({capped.endpoint, small.endpoint, group.endpoint}),
        )
        for name, (listener,) in advice.items():
            assert monitoring.ever_firing(name) == {listener}
            # The alert that the queue is full does not suppress it.
            until(partial(monitoring.states, name, listener), equals({"firing"}))
        monitoring.expect_valid_alerts()


@pytest.mark.netns
@pytest.mark.parametrize(
    ("cookies", "name", "other"),
    [
        (1, "ListenQueueSynCookies", "ListenQueueSynDropping"),
        (0, "ListenQueueSynDropping", "ListenQueueSynCookies"),
    ],
)
def test_the_alert_about_a_syn_flood_depends_on_syn_cookies(
    folder: Path, cookies: int, name: str, other: str
) -> None:
    """The accept queue stays empty meanwhile, and with cookies clients still connect."""
    namespace.write_sysctl("net.ipv4.tcp_syncookies", cookies)
    with ExitStack() as stack:
        monitoring = stack.enter_context(Monitoring(folder))
        tun = stack.enter_context(flood.Tun())
        flooded, neighbour = nginx.service(folder, address=_TUN), redis.service(folder)
        for service in (flooded, neighbour):
            stack.enter_context(service.running())
        stack.enter_context(running())
        monitoring.wait_ready()
        flood.syn_flood(tun, _TUN, int(flooded.endpoint.port), 500)
        until(partial(monitoring.listeners, name), equals({flooded.endpoint}))
        assert not cookies or flooded.answers(flooded.listener)
        assert neighbour.answers(neighbour.listener)
        # The counters of the namespace may be sampled before the connections of the listener.
        assert monitoring.ever_firing("ListenQueue.*") - {_NO_LISTENER} == {flooded.endpoint}
        assert monitoring.ever_firing(other) == set()
        monitoring.expect_valid_alerts()


def _firing(monitoring: Monitoring, name: str) -> set[Endpoint]:
    """The listeners of the alerts of this name that are not suppressed."""
    return {alert.listener for alert in monitoring.alerts(name) if alert.state == "firing"}


def _fill_one_socket(clients: WaitingClients, group: Service) -> None:
    """Connect until the fullest socket is full; the kernel chooses the socket of each client by a hash."""
    for _ in range(_MAX_CLIENTS):
        if reference.from_ss()[group.endpoint].ratio == 1:
            return
        clients.try_to_connect()
    pytest.fail(f"{_MAX_CLIENTS} clients did not fill one socket of {group.endpoint}")
