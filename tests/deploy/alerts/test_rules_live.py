"""A real Prometheus evaluates the rules over what the real exporter serves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from testbed import privileges
from testbed.netns import Namespaces
from testbed.page import Page
from testbed.waiting import equals, until
from tests.deploy.alerts import shipped
from tests.deploy.alerts.prometheus_with_rules import PrometheusWithRules
from tests.integration import listening_sockets
from tests.integration.forked_exporter import ForkedExporter, load_everything
from tests.integration.other_namespaces import watching
from tests.integration.service import Service

pytestmark = pytest.mark.usefixtures("monitoring_release")

PORT, GROUP_PORT, BACKLOG = 8080, 8081, 3
# All labels of the owner, and of other network namespaces those of the test alone.
CONFIG = """\
sampling: {interval: 10ms, cpu_budget: 100%}
labels: [process, unit, container, pod, namespace, user]
namespaces: {include: [edge, back]}
"""
# Labels that service discovery in Kubernetes gives to the exporter's own target.
TARGET = 'pod: "exporter-1", namespace: "monitoring", container: "exporter"'
FULL = {
    "ListenQueueFull": [
        ("back", "0.0.0.0", "8080"),
        ("edge", "0.0.0.0", "8080"),
        ("host", "0.0.0.0", "8080"),
        ("host", "::1", "8081"),
    ],
    "ListenQueueUnixFull": [("back", "@queue", ""), ("edge", "@queue", "")],
    "ListenQueueReuseportSkewed": [("host", "::1", "8081")],
}


@contextmanager
def skewed_group() -> Iterator[None]:
    """Three sockets on one port, of which one is full and the others are empty."""
    with ExitStack() as stack:
        group = [
            stack.enter_context(listening_sockets.tcp("::1", GROUP_PORT, BACKLOG, reuse_port=True))
            for _ in range(3)
        ]
        full, *others = group
        while (length := queue_length(full)) <= BACKLOG:
            stack.enter_context(socket.create_connection(("::1", GROUP_PORT)))
            # The kernel chooses the socket by a hash of the addresses.
            until(partial(is_queued_or_accepted, full, length, others), bool)
        yield


@pytest.mark.netns
def test_every_rule_is_evaluated_and_alerts_name_each_listener(tmp_path: Path) -> None:
    """With one address in three namespaces, sockets that share a port, and a target that has a pod."""
    with ExitStack() as stack:
        server = stack.enter_context(PrometheusWithRules(tmp_path, labels=TARGET))
        namespaces = stack.enter_context(Namespaces())
        for name in ("edge", "back"):
            made = namespaces.named(name)
            made.listen_tcp(PORT, backlog=BACKLOG)
            made.fill_tcp(PORT, BACKLOG + 1)
            made.listen_unix("queue", backlog=2)
            made.fill_unix("queue", 3)
        stack.enter_context(skewed_group())
        listener = stack.enter_context(listening_sockets.tcp("0.0.0.0", PORT, BACKLOG))
        for client in listening_sockets.clients(listener, BACKLOG + 1):
            stack.enter_context(client)
        stack.enter_context(watching(CONFIG))
        until(lambda: listeners(server.firing(), *FULL), equals(FULL))
        # After the first scrapes: the drop has to make a counter rise.
        stack.enter_context(listening_sockets.refused_client(listener))
        until(
            lambda: listeners(server.firing(), "ListenQueueOverflow"),
            equals({"ListenQueueOverflow": [("host", "0.0.0.0", "8080")]}),
        )
        (alert,) = until(lambda: server.annotations("ListenQueueReuseportSkewed"), bool)
        assert "3 sockets share this port" in alert["description"]
        assert "The fullest is at 100%, the others hold 0.0 connections" in alert["description"]
        until(lambda: server.value("count(service:listen_queue_accept_utilization_ratio:max)"), bool)
        server.wait_for_evaluation()
        # None of these listeners is in a pod; the pod of the target is the exporter's.
        assert server.query("pod:listen_queue_accept_peak_utilization_ratio:max") == {}
        rules = server.rules()
        assert {rule["name"] for rule in rules} == {*shipped.alert_names(), *shipped.records()}
        assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []


@pytest.mark.netns
def test_an_exporter_that_ended_is_still_recognized_as_one(tmp_path: Path) -> None:
    """By what was scraped before, where neither the job nor a page says what the target is."""
    with PrometheusWithRules(tmp_path, job="any name") as server:
        with watching("namespaces: {enabled: false}\n"):
            until(lambda: server.value("listen_queue:up"), equals(1))
        until(lambda: server.value("listen_queue:up"), equals(0))
        (alert,) = until(lambda: server.annotations("ListenQueueExporterDown"), bool)
        assert alert["summary"] == "The exporter at 127.0.0.1:10511 does not answer"


@pytest.mark.netns
def test_missing_privileges_fail_no_source_that_has_an_alert() -> None:
    """An unprivileged exporter does not know the owners of other users' sockets, which no alert is about."""
    load_everything()
    with Service(b"another", lambda: [listening_sockets.tcp("127.0.0.1"), listening_sockets.unix("\0queue")]):
        privileges.drop_to()
        with ForkedExporter() as exporter:
            until(lambda: failing_sources(exporter.metrics()), equals({"owners"}))


def failing_sources(page: Page) -> set[str]:
    success = page.all("listen_queue_exporter_source_success")
    assert len(success) > 5
    return {dict(labels)["source"] for labels, value in success.items() if not value}


def listeners(firing: dict[str, list[dict[str, str]]], *names: str) -> dict[str, list[tuple[str, str, str]]]:
    """Namespace, address and port of the listeners that the alerts of these names name."""
    return {
        name: sorted((each["netns"], each["address"], each.get("port", "")) for each in firing[name])
        for name in names
        if name in firing
    }


def is_queued_or_accepted(full: socket.socket, length: int, others: list[socket.socket]) -> bool:
    """Whether a connection has made the queue longer, or came from another socket, where it is accepted."""
    return any(map(accept_one, others)) or queue_length(full) > length


def queue_length(listener: socket.socket) -> int:
    """The length of its accept queue: of a listener, tcpi_unacked (tcp_get_info in net/ipv4/tcp.c)."""
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    return int.from_bytes(info[24:28], "little")


def accept_one(listener: socket.socket) -> bool:
    """Accept a connection and close it; False where none waits."""
    listener.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
