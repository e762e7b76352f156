"""A real Prometheus evaluates the shipped rules over what the real exporter serves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from testbed import privileges
from testbed.netns import Namespaces
from testbed.page import Page
from testbed.waiting import equals, until
from tests.deploy.alerts import shipped
from tests.deploy.alerts.ruler import Ruler
from tests.integration import listening_sockets
from tests.integration.forked_exporter import ForkedExporter, load_everything
from tests.integration.other_namespaces import watching
from tests.integration.service import Service

_PORT = 8081

# Every owner label that there is, and no namespace of the machine's.
_CONFIG = """\
sampling: {interval: 10ms, cpu_budget: 100%}
labels: [process, unit, container, pod, namespace, user]
namespaces: {include: [edge, back]}
"""

# What service discovery of Kubernetes gives the exporter's own target.
_TARGET = 'pod: "exporter-1", namespace: "monitoring", container: "exporter"'


@contextmanager
def skewed_group() -> Iterator[None]:
    """Three sockets on one port, of which one is full and the others are empty."""
    with ExitStack() as stack:
        group = [
            stack.enter_context(listening_sockets.tcp("::1", _PORT, 3, reuse_port=True)) for _ in range(3)
        ]
        full = group[0]
        while not _is_full(full):
            client = stack.enter_context(socket.socket(socket.AF_INET6))
            client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
            client.connect_ex(("::1", _PORT))
            for other in group[1:]:
                _accept_all(other)
        yield


@pytest.mark.netns
def test_every_rule_evaluates_and_alerts_name_each_listener(tmp_path: Path) -> None:
    """With the same address in three namespaces, sockets that share a port, and a target that has a pod."""
    with ExitStack() as stack:
        spaces = stack.enter_context(Namespaces())
        for name in ("edge", "back"):
            made = spaces.named(name)
            made.listen_tcp(8080, backlog=3)
            made.fill_tcp(8080, 4)
            made.listen_unix("queue", backlog=2)
            made.fill_unix("queue", 3)
        stack.enter_context(skewed_group())
        listener = stack.enter_context(listening_sockets.tcp("0.0.0.0", 8080, backlog=3))
        for client in listening_sockets.clients(listener, 4):
            stack.enter_context(client)
        stack.enter_context(watching(_CONFIG))
        server = stack.enter_context(Ruler(tmp_path, labels=_TARGET))
        until(
            lambda: _places(server.firing()),
            lambda found: (
                found
                == {
                    "ListenQueueFull": [
                        ("back", "0.0.0.0", "8080"),
                        ("edge", "0.0.0.0", "8080"),
                        ("host", "0.0.0.0", "8080"),
                        ("host", "::1", "8081"),
                    ],
                    "ListenQueueUnixFull": [("back", "@queue", ""), ("edge", "@queue", "")],
                    "ListenQueueReuseportSkewed": [("host", "::1", "8081")],
                }
            ),
        )
        # It can only rise between two scrapes.
        stack.enter_context(listening_sockets.refused_client(listener))
        until(
            lambda: _places(server.firing(), "ListenQueueOverflow"),
            lambda found: found == {"ListenQueueOverflow": [("host", "0.0.0.0", "8080")]},
        )
        (alert,) = server.annotations("ListenQueueReuseportSkewed")
        assert "3 sockets share this port" in alert["description"]
        assert "The fullest is at 100%, the others hold 0.0 connections" in alert["description"]
        until(lambda: server.value("count(service:listen_queue_accept_utilization_ratio:max)"), bool)
        # None of these listeners is in a pod; the pod of the target is the exporter's.
        assert server.query("pod:listen_queue_accept_peak_utilization_ratio:max") == {}
        rules = until(server.rules, lambda found: all(rule["health"] != "unknown" for rule in found))
        assert {rule["name"] for rule in rules} == {*shipped.alert_names(), *shipped.records()}
        assert {
            (rule["name"], rule.get("lastError", "")) for rule in rules if rule["health"] != "ok"
        } == set()


@pytest.mark.netns
def test_an_exporter_that_ends_is_still_known_as_one(tmp_path: Path) -> None:
    with Ruler(tmp_path, job="any name") as server:
        with watching("namespaces: {enabled: false}\n"):
            until(lambda: server.value("listen_queue:up"), lambda found: found == 1)
        until(lambda: server.value("listen_queue:up"), lambda found: found == 0)
        (alert,) = until(lambda: server.annotations("ListenQueueExporterDown"), bool)
        assert alert["summary"] == "The exporter at 127.0.0.1:10511 does not answer"


@pytest.mark.netns
def test_an_exporter_without_privilege_is_called_blind_for_nothing() -> None:
    """It may not see who owns the sockets of others, which is no reason for an alert; all else succeeds."""
    load_everything()
    with Service(b"another", lambda: [listening_sockets.tcp("127.0.0.1"), listening_sockets.unix("\0queue")]):
        privileges.drop_to()
        with ForkedExporter() as exporter:
            until(lambda: _failing(exporter.metrics()), equals({"owners"}))


def _failing(page: Page) -> set[str]:
    """The sources that do not succeed."""
    success = page.all("listen_queue_exporter_source_success")
    assert len(success) > 5
    return {dict(labels)["source"] for labels, value in success.items() if not value}


def _places(firing: dict[str, list[dict[str, str]]], *names: str) -> dict[str, list[tuple[str, str, str]]]:
    """Where alerts fire, of those that say that a queue is full unless others are asked for."""
    wanted = names or ("ListenQueueFull", "ListenQueueUnixFull", "ListenQueueReuseportSkewed")
    return {
        name: sorted((each["netns"], each["address"], each.get("port", "")) for each in firing[name])
        for name in wanted
        if name in firing
    }


def _is_full(listener: socket.socket) -> bool:
    """Whether its queue holds backlog + 1; the kernel tells the length as tcpi_unacked."""
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    unacked, sacked = (int.from_bytes(info[at : at + 4], "little") for at in (24, 28))
    return unacked > sacked


def _accept_all(listener: socket.socket) -> None:
    listener.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return
