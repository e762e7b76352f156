"""The exporter under a service manager: the notifications that it sends while it samples and serves."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from testbed import seccomp
from testbed.daemon import Daemon
from tests.integration import listening_sockets
from tests.integration.metric_values import figure
from tests.integration.service_manager import Notification, NotificationSocket, has
from tests.integration.stopped_thread import sampler_of

GOOD = "defaults: {accept: {warning: 3, critical: 9}}\n"
BETTER = "defaults: {accept: {warning: 2, critical: 9}}\n"
WRONG = "defaults: {accept: {warning: lots}}\n"
DIAG = "sampling: {method: sock_diag}\n"
LEVEL = {"rule": "defaults", "queue": "accept", "severity": "warning"}
WATCHDOG_SECONDS = 0.6


@contextmanager
def supervised(
    folder: Path, *flags: str, config: str | None = None
) -> Iterator[tuple[Daemon, NotificationSocket]]:
    """An exporter that was started with a socket for its notifications."""
    with NotificationSocket(str(folder / "notify")) as manager, pytest.MonkeyPatch.context() as environment:
        environment.setenv("NOTIFY_SOCKET", manager.address)
        environment.setenv("WATCHDOG_USEC", f"{WATCHDOG_SECONDS * 1e6:.0f}")
        with Daemon(*flags, config=config) as daemon:
            yield daemon, manager


def ready(manager: NotificationSocket) -> None:
    manager.until(has(WATCHDOG="1"))


@pytest.mark.netns
def test_at_the_notification_ready_the_page_has_every_listener(tmp_path: Path) -> None:
    """It is the first notification, and comes from the exporter's main process."""
    with (
        listening_sockets.tcp("127.0.0.1"),
        listening_sockets.unix("\0queue"),
        supervised(tmp_path) as (daemon, manager),
    ):
        assert manager.receive() == Notification({"READY": "1"}, daemon.pid)
        assert daemon.request("/-/ready").status == 200
        page = daemon.metrics()
        assert page.value("listen_queue_exporter_source_success", source="inet") == 1
        received = manager.until(
            lambda message: message.status == "3 listeners, 0 full; network namespaces: 1"
        )
        assert {message.pid for message in received} == {daemon.pid}


@pytest.mark.netns
def test_the_status_counts_what_is_full(tmp_path: Path) -> None:
    with listening_sockets.tcp("127.0.0.1", backlog=1) as listener, supervised(tmp_path) as (_, manager):
        clients = listening_sockets.clients(listener, 2)
        manager.until(lambda message: message.status == "2 listeners, 1 full; network namespaces: 1")
        for client in clients:
            client.close()


@pytest.mark.netns
def test_an_exporter_whose_sources_fail_is_ready_and_lists_them_in_its_status(tmp_path: Path) -> None:
    """A restart would not help."""
    seccomp.deny_socket_family(socket.AF_NETLINK, errno.EPERM)
    with supervised(tmp_path, config=DIAG) as (_, manager):
        received = manager.until(has(WATCHDOG="1"))
        assert received[0].fields == {"READY": "1"}
        assert "; cannot see: inet of host, unix of host, " in received[-1].status


def by_signal(daemon: Daemon) -> None:
    daemon.signal(SIGHUP)


def by_request(daemon: Daemon) -> None:
    daemon.request("/-/reload", "POST")


@pytest.mark.netns
@pytest.mark.parametrize("reload", [by_signal, by_request])
def test_a_reload_ends_when_the_new_configuration_is_in_force(
    reload: Callable[[Daemon], None], tmp_path: Path
) -> None:
    with supervised(tmp_path, "--web.enable-lifecycle", config=GOOD) as (daemon, manager):
        ready(manager)
        daemon.config_file.write_text(BETTER)
        reload(daemon)
        begun = manager.until(lambda message: "RELOADING" in message.fields)[-1]
        assert int(begun.fields["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        manager.until(has(READY="1"))
        assert figure(daemon, "threshold_connections", **LEVEL) == 2
        manager.until(lambda message: message.status == "1 listener, 0 full; network namespaces: 1")


@pytest.mark.netns
def test_a_wrong_configuration_stays_in_the_status_until_it_is_right(tmp_path: Path) -> None:
    with supervised(tmp_path, config=GOOD) as (daemon, manager):
        ready(manager)
        daemon.config_file.write_text(WRONG)
        by_signal(daemon)
        wrong = f"; configuration not reloaded: {daemon.config_file}:1:"
        assert wrong in manager.until(has(READY="1"))[-1].status
        assert wrong in manager.until(has(WATCHDOG="1"))[-1].status
        daemon.config_file.write_text(BETTER)
        by_signal(daemon)
        assert wrong not in manager.until(has(READY="1"))[-1].status


@pytest.mark.netns
def test_stopping_is_the_last_notification(tmp_path: Path) -> None:
    with supervised(tmp_path) as (daemon, manager):
        ready(manager)
        assert daemon.stop(SIGTERM) == 0
        manager.until(has(STOPPING="1"))
        assert manager.next(0) is None


@pytest.mark.netns
@pytest.mark.fault(
    "the sampling thread hangs",
    "the service manager gets no sign of life, and may restart it",
)
def test_no_watchdog_notification_comes_while_the_sampler_is_stopped_and_pages_are_served(
    tmp_path: Path,
) -> None:
    with supervised(tmp_path) as (daemon, manager):
        ready(manager)
        with sampler_of(daemon.pid, daemon.scrape):
            manager.until(lambda message: message.status.startswith("no sample for "))
            before = figure(daemon, "exporter_samples_total", source="inet")
            for _ in range(3):
                assert "WATCHDOG" not in manager.receive().fields
            assert figure(daemon, "exporter_samples_total", source="inet") == before
        ready(manager)
