"""Where sources fail the page has no series of listeners, and never shows an idle host."""

from __future__ import annotations

import errno
import http.client
import resource
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from testbed import flood, seccomp
from testbed.daemon import Daemon, running
from testbed.page import Page, metrics
from testbed.waiting import DEADLINE_SECONDS, until
from tests.integration import command, listening_sockets
from tests.integration.metric_values import EAGER, figure, until_figure

ROOT = Path(__file__).resolve().parents[2]
DIAG = "sampling: {interval: 10ms, cpu_budget: 100%, method: sock_diag}\ndefaults: {export: full}\n"
PROCFS = "sampling: {interval: 10ms, cpu_budget: 100%, method: procfs}\ndefaults: {export: full}\n"
ABSENT = pytest.mark.parametrize(
    "refusal", [errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT], ids=errno.errorcode.get
)
# Every metric of listeners, and none of the exporter, its settings or the namespace.
OF_LISTENERS = (
    "accept_length",
    "accept_limit",
    "accept_utilization_ratio",
    "accept_peak_length",
    "accept_peak_utilization_ratio",
    "accept_full_seconds_total",
    "accept_sampled_utilization_ratio_count",
    "accept_oldest_wait_seconds",
    "syn_recv",
    "syn_recv_limit",
    "syn_recv_peak",
    "syn_recv_unmatched",
    "drops_total",
    "sockets",
    "listener_info",
    "threshold_exceeded",
    "threshold_exceeded_seconds_total",
)


def families(page: Page, names: Sequence[str] = OF_LISTENERS, **labels: str) -> set[str]:
    """Which of these names have a series."""
    return {name for name in names if page.all(f"listen_queue_{name}", **labels)}


def expect_lengths_from_procfs(daemon: Daemon) -> None:
    """Everything that /proc has of the listener with three waiting and five half-open, and no more."""
    until_figure(daemon, 3, "accept_length", port="8080")
    until_figure(daemon, 5, "syn_recv", port="8080")
    until_figure(daemon, 0, "exporter_source_success", source="oldest_wait")
    for source in ("inet", "unix", "syn_recv"):
        until_figure(daemon, 1, "exporter_source_info", source=source, method="procfs")
        until_figure(daemon, 1, "exporter_source_success", source=source)
    until_figure(daemon, 1, "sockets", protocol="unix")
    page = daemon.metrics()
    shown = families(page, port="8080")
    assert shown >= {"accept_length", "accept_peak_length", "syn_recv", "sockets", "listener_info"}
    assert not shown & {
        "accept_limit",
        "accept_utilization_ratio",
        "accept_peak_utilization_ratio",
        "accept_full_seconds_total",
        "accept_sampled_utilization_ratio_count",
        "accept_oldest_wait_seconds",
        "syn_recv_limit",
        "drops_total",
        "threshold_exceeded",
    }
    assert families(page, protocol="unix") == {"sockets", "listener_info"}


@pytest.mark.netns
@ABSENT
@pytest.mark.fault(
    "a seccomp filter refuses AF_NETLINK (EPERM, EACCES or EAFNOSUPPORT)",
    "what /proc has is shown, and what it lacks is absent, not 0",
)
def test_without_netlink_auto_falls_back_to_procfs(refusal: int) -> None:
    with (
        flood.Tun() as tun,
        listening_sockets.tcp(listening_sockets.TUN_IPV4) as listener,
        listening_sockets.unix("\0queue"),
    ):
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 5)
        seccomp.deny_socket_family(socket.AF_NETLINK, refusal)
        with running(config=EAGER) as daemon:
            waiting = listening_sockets.clients(listener, 3)
            expect_lengths_from_procfs(daemon)
            for client in waiting:
                client.close()


@pytest.mark.netns
def test_procfs_can_be_configured() -> None:
    with (
        flood.Tun() as tun,
        listening_sockets.tcp(listening_sockets.TUN_IPV4) as listener,
        listening_sockets.unix("\0queue"),
    ):
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 5)
        with running(config=PROCFS) as daemon:
            waiting = listening_sockets.clients(listener, 3)
            expect_lengths_from_procfs(daemon)
            for client in waiting:
                client.close()


@pytest.mark.netns
def test_thresholds_in_connections_still_work_with_procfs() -> None:
    text = PROCFS + "rules: [{name: rest, accept: {warning: 2, critical: 90%}}]\n"
    with listening_sockets.tcp("127.0.0.1") as listener, running(config=text) as daemon:
        waiting = listening_sockets.clients(listener, 2)
        until_figure(daemon, 1, "threshold_exceeded", port="8080", queue="accept", severity="warning")
        assert figure(daemon, "threshold_exceeded", port="8080", queue="accept", severity="critical") is None
        for client in waiting:
            client.close()


@pytest.mark.netns
@ABSENT
@pytest.mark.fault(
    "the same with method sock_diag",
    "no series of a listener, success 0 with the reason, few lines in the log",
)
def test_without_netlink_sock_diag_alone_shows_no_listener_and_fails(refusal: int) -> None:
    with listening_sockets.tcp("127.0.0.1"), listening_sockets.unix("\0queue"):
        seccomp.deny_socket_family(socket.AF_NETLINK, refusal)
        with running(config=DIAG) as daemon:
            expect_no_listeners(daemon, errno.errorcode[refusal])
            until_figure(daemon, 1, "exporter_source_success", source="netstat")


@pytest.mark.netns
@pytest.mark.fault(
    "the kernel has no buffers for AF_NETLINK (ENOBUFS)",
    "no series of a listener and success 0 with the reason, rather than the less that /proc has",
)
def test_a_temporary_error_is_no_reason_to_fall_back() -> None:
    with listening_sockets.tcp("127.0.0.1"):
        seccomp.deny_socket_family(socket.AF_NETLINK, errno.ENOBUFS)
        with running(config=EAGER) as daemon:
            expect_no_listeners(daemon, "ENOBUFS")


def expect_no_listeners(daemon: Daemon, reason: str) -> None:
    """No series of a listener, success 0, and the reason in a counter that goes on."""
    for source in ("inet", "unix", "syn_recv"):
        until_figure(daemon, 0, "exporter_source_success", source=source)
        assert (figure(daemon, "exporter_sample_errors_total", source=source, reason=reason) or 0) > 0
        assert (figure(daemon, "exporter_samples_total", source=source) or 0) == 0
        assert figure(daemon, "exporter_last_sample_timestamp_seconds", source=source) == 0
        assert figure(daemon, "exporter_source_info", source=source, method="sock_diag") == 1
    assert families(daemon.metrics()) == set()
    assert figure(daemon, "exporter_listeners") == 0
    first = figure(daemon, "exporter_sample_errors_total", source="inet", reason=reason) or 0
    until(
        lambda: figure(daemon, "exporter_sample_errors_total", source="inet", reason=reason) or 0,
        lambda errors: errors > first + 3,
    )
    assert daemon.log.count("source failed") <= 4
    assert daemon.request("/-/healthy").status == 200


@pytest.mark.netns
@pytest.mark.fault(
    "method procfs, and no descriptor is left (RLIMIT_NOFILE is 3)",
    "the series of listeners leave the page with success 0, and come back with the descriptors",
)
def test_a_source_that_fails_takes_its_series_off_the_page_until_it_works_again() -> None:
    """Here the exporter, which reads /proc, may open no more files for a while."""
    with listening_sockets.tcp("127.0.0.1") as listener, running("--user=root", config=PROCFS) as daemon:
        until_figure(daemon, 0, "accept_length", port="8080")
        with Connection(daemon) as connection:
            # Of a process of the same user, which needs no capability.
            _, most = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, most))
            until(connection.metrics, lambda page: families(page) == set() and _cannot_open_files(page))
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (most, most))
            until(connection.metrics, lambda page: page.all("listen_queue_accept_length", port="8080") != {})
        waiting = listening_sockets.clients(listener, 1)
        until_figure(daemon, 1, "accept_length", port="8080")
        waiting[0].close()


@pytest.mark.netns
@pytest.mark.fault(
    "method sock_diag, and no descriptor is left (RLIMIT_NOFILE is 3)",
    "listeners are sampled on, what opens files fails with success 0, and works again with the descriptors",
)
def test_listeners_go_on_where_no_more_files_can_be_opened() -> None:
    """The socket to the kernel is open already; sources that open files fail."""
    with listening_sockets.tcp("127.0.0.1") as listener, running("--user=root", config=EAGER) as daemon:
        until_figure(daemon, 0, "accept_length", port="8080")
        with Connection(daemon) as connection:
            _, most = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, most))
            waiting = listening_sockets.clients(listener, 2)
            until(
                connection.metrics,
                lambda page: (
                    page.value("listen_queue_exporter_source_success", source="netstat") == 0
                    and page.value("listen_queue_accept_length", port="8080") == 2
                ),
            )
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (most, most))
        until_figure(daemon, 1, "exporter_source_success", source="netstat")
        for client in waiting:
            client.close()


@pytest.mark.netns
@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"]])
def test_show_prints_no_empty_table_where_it_could_see_nothing(arguments: list[str], tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(DIAG)
    seccomp.deny_socket_family(socket.AF_NETLINK, errno.EPERM)
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments, f"--config.file={config}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "EPERM" in done.stderr


@pytest.mark.netns
def test_a_check_that_could_see_nothing_is_unknown(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(DIAG)
    seccomp.deny_socket_family(socket.AF_NETLINK, errno.EPERM)
    ended = command.run("show", "--check", f"--config.file={config}")
    assert ended.status == 3
    assert ended.output.startswith("LISTEN QUEUE UNKNOWN - cannot read the listeners: ")
    assert "EPERM" in ended.output


def _cannot_open_files(page: Page) -> bool:
    success = page.all("listen_queue_exporter_source_success")
    errors = page.all("listen_queue_exporter_sample_errors_total", reason="EMFILE")
    failed = {dict(labels)["source"] for labels, value in success.items() if value == 0}
    counted = {dict(labels)["source"] for labels, value in errors.items() if value > 0}
    return {"inet", "unix"} <= failed & counted


class Connection:
    """One connection to the exporter that stays open, for when it can accept no other."""

    def __init__(self, daemon: Daemon) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=DEADLINE_SECONDS)
        self._http.connect()
        self.metrics()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def metrics(self) -> Page:
        """The page of metrics, parsed."""
        self._http.request("GET", "/metrics")
        return metrics(self._http.getresponse().read().decode())
