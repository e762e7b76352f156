"""What the configuration leaves out of the page, and what it puts on it."""

from __future__ import annotations

import os
import pwd
from contextlib import ExitStack

import pytest

from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER, figure, until_figure
from tests.integration.service import Service

LENGTH = "listen_queue_accept_length"
KEY = {"netns", "protocol", "address", "port"}


def ports(daemon: Daemon) -> set[str]:
    """The ports of the listeners on the page."""
    return {dict(labels)["port"] for labels in daemon.metrics().all(LENGTH)}


@pytest.mark.netns
def test_over_max_listeners_the_fullest_stay_and_the_rest_are_counted() -> None:
    with ExitStack() as stack, running(config=EAGER + "max_listeners: 3\n") as daemon:
        listeners = [
            stack.enter_context(listening_sockets.tcp("127.0.0.1", 8000 + each)) for each in range(8)
        ]
        for index in (2, 5, 7):
            stack.enter_context(listening_sockets.clients(listeners[index], 1 + index)[0])
        until(lambda: ports(daemon), equals({"8002", "8005", "8007"}))
        until_figure(daemon, 8 + 1 - 3, "exporter_listeners_omitted")
        assert figure(daemon, "exporter_listeners") == 3
        page = daemon.metrics()
        assert {dict(labels)["port"] for labels in page.all("listen_queue_listener_info")} == ports(daemon)


@pytest.mark.netns
def test_of_equally_full_listeners_the_oldest_stay() -> None:
    with ExitStack() as stack, running(config=EAGER + "max_listeners: 2\n") as daemon:
        stack.enter_context(listening_sockets.tcp("127.0.0.1", 8001))
        until(lambda: ports(daemon), equals({"10511", "8001"}))
        for each in range(2, 6):
            stack.enter_context(listening_sockets.tcp("127.0.0.1", 8000 + each))
        until_figure(daemon, 4, "exporter_listeners_omitted")
        # The exporter's own port has had a client in its queue.
        assert "8001" in ports(daemon)
        assert len(ports(daemon)) == 2


@pytest.mark.netns
def test_what_is_not_exported_has_no_series_at_all() -> None:
    rules = "rules: [{name: hidden, match: {address: [127.0.0.0/8, '@hid*']}, export: false}]\n"
    with (
        listening_sockets.tcp("127.0.0.1"),
        listening_sockets.unix("\0hidden"),
        listening_sockets.tcp("::1", 8081),
        listening_sockets.unix("\0shown"),
        running(config=EAGER + rules) as daemon,
    ):
        until(lambda: ports(daemon), equals({"8081", ""}))
        text = daemon.scrape()
        assert "127.0.0.1" not in text
        assert "@hidden" not in text
        until_figure(daemon, 2, "exporter_listeners")
        until_figure(daemon, 0, "exporter_listeners_omitted")


@pytest.mark.netns
@pytest.mark.parametrize("labels", [[], ["process"], ["user"], ["process", "user"]], ids=str)
def test_labels_say_what_is_on_every_series_of_a_listener(labels: list[str]) -> None:
    with (
        Service(b"web-server", lambda: [listening_sockets.tcp("127.0.0.1")]),
        running(config=f"{EAGER}labels: {labels}\n") as daemon,
    ):
        owner = {"process": "web-server", "user": pwd.getpwuid(os.getuid()).pw_name}
        wanted = {label: owner[label] for label in labels}
        until_figure(daemon, 0, "accept_length", port="8080", **wanted)
        page = daemon.metrics()
        for name in ("accept_length", "drops_total", "sockets", "syn_recv", "accept_full_seconds_total"):
            (found,) = page.all(f"listen_queue_{name}", port="8080")
            assert dict(found).keys() == KEY | wanted.keys()
        for found in page.all("listen_queue_threshold_exceeded", port="8080"):
            assert dict(found).keys() == KEY | wanted.keys() | {"queue", "severity"}
        (info,) = page.all("listen_queue_listener_info", port="8080")
        assert dict(info).keys() >= KEY | wanted.keys() | {"user", "rule", "mptcp"}


@pytest.mark.netns
@pytest.mark.parametrize(("export", "tcp", "unix"), [("false", 0, 0), ("lean", 15, 9), ("full", 44, 22)])
def test_a_listener_has_the_series_that_its_rule_exports(export: str, tcp: int, unix: int) -> None:
    config = f"sampling: {{interval: 10ms}}\nrules: [{{name: rest, export: {export}}}]\n"
    with (
        listening_sockets.tcp("127.0.0.1"),
        listening_sockets.unix("\0queue"),
        running(config=config) as daemon,
    ):

        def series() -> tuple[int, int]:
            found = [dict(labels) for _, labels in daemon.metrics().samples]
            return (
                sum(labels.get("port") == "8080" for labels in found),
                sum(labels.get("address") == "@queue" for labels in found),
            )

        until(series, equals((tcp, unix)))


@pytest.mark.netns
def test_without_a_configuration_everything_is_on_the_page() -> None:
    with (
        listening_sockets.tcp("127.0.0.1") as listener,
        listening_sockets.unix("\0queue"),
        running() as daemon,
    ):
        clients = listening_sockets.clients(listener, 2)
        until_figure(daemon, 2, "accept_length", port="8080")
        assert figure(daemon, "exporter_sample_interval_seconds", source="inet") is not None
        for source in ("inet", "unix", "syn_recv", "netstat", "owners"):
            until_figure(daemon, 1, "exporter_source_success", source=source)
        for client in clients:
            client.close()
