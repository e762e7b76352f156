"""Where the kernel, or what stands in for it, lacks a part, that part is absent from the page and never 0."""

from __future__ import annotations

import errno
import os

import pytest

from exporter.doctor.unseen import unseen
from exporter.kernel.netns.namespace import Namespace
from testbed.page import Page, metrics
from tests.kernel.datagrams import done, error
from tests.kernel.fake_kernel import FakeFiles, FakeKernel
from tests.kernel.procfs_tree import (
    GVISOR_COLUMNS,
    LINUX_COLUMNS,
    table,
    tcp_contents,
    tcp_line,
    unix_contents,
    unix_line,
)
from tests.metrics.sample_host import page_of
from tests.sampling.simulation import Simulation

COUNTERS = {"SyncookiesSent": 0, "ListenOverflows": 0, "ListenDrops": 0, "TCPReqQFullDrop": 0}
OPENED = table("Tcp", {"PassiveOpens": 9, "InSegs": 99}).encode()
SETTINGS: dict[str, bytes | Exception] = {
    "sys/net/core/somaxconn": b"4096\n",
    "sys/net/ipv4/tcp_max_syn_backlog": b"1024\n",
    "sys/net/ipv4/tcp_syncookies": b"1\n",
    "sys/net/ipv4/tcp_abort_on_overflow": b"0\n",
}
# Every figure that would read as healthy where it is 0 and means nothing.
FIGURES = (
    "accept_length",
    "accept_limit",
    "accept_utilization_ratio",
    "accept_peak_utilization_ratio",
    "accept_full_seconds_total",
    "accept_oldest_wait_seconds",
    "syn_recv",
    "syn_recv_limit",
    "syn_recv_unmatched",
    "drops_total",
    "threshold_exceeded",
    "netns_listen_overflows_total",
    "netns_syncookies_sent_total",
)


def refused(number: int) -> OSError:
    """What socket(2) or recv(2) fails with."""
    return OSError(number, os.strerror(number))


def seen(kernel: FakeKernel, files: FakeFiles) -> Page:
    """The page after some seconds of this kernel and these files."""
    host = Simulation("defaults: {export: full}", own=Namespace("host", kernel, files))
    host.run_for(6.0)
    return metrics(page_of(host).write(openmetrics=False).decode())


def success(page: Page) -> dict[str, float]:
    """Whether each source succeeded."""
    found = page.all("listen_queue_exporter_source_success")
    return {dict(labels)["source"]: value for labels, value in found.items()}


def shown(page: Page) -> set[str]:
    """Which of the figures have a series."""
    return {name for name in FIGURES if page.all(f"listen_queue_{name}")}


def files_of(columns: str, netstat: bytes) -> FakeFiles:
    """A listener on 8080 and one of unix."""
    return FakeFiles(
        {
            **tcp_contents([tcp_line("127.0.0.1", 8080, inode=12, columns=columns)], []),
            **unix_contents([unix_line(15, b"/run/app.sock")]),
            "net/netstat": netstat,
            "net/snmp": OPENED,
            **SETTINGS,
        }
    )


@pytest.mark.parametrize(
    "netstat",
    [
        pytest.param(f"TcpExt: {' '.join(COUNTERS)}\n".encode(), id="names alone"),
        pytest.param(table("TcpExt", COUNTERS).encode(), id="zeros"),
    ],
)
def test_gvisor_shows_that_listeners_are_there_and_no_figure_of_them(netstat: bytes) -> None:
    page = seen(FakeKernel(refused(errno.EPROTONOSUPPORT)), files_of(GVISOR_COLUMNS, netstat))
    assert shown(page) == set()
    assert page.value("listen_queue_sockets", port="8080") == 1
    assert page.value("listen_queue_sockets", address="/run/app.sock") == 1
    results = success(page)
    assert {name: results[name] for name in ("inet", "unix", "syn_recv", "netstat")} == {
        "inet": 1,
        "unix": 1,
        "syn_recv": 0,
        "netstat": 0,
    }
    for source in ("syn_recv", "netstat"):
        errors = page.all("listen_queue_exporter_sample_errors_total", source=source, reason="unimplemented")
        assert sum(errors.values()) > 0
    assert page.value("listen_queue_exporter_source_info", source="inet", method="procfs") == 1


def not_seen(kernel: FakeKernel, files: FakeFiles) -> list[str]:
    """What doctor says that it has not seen."""
    host = Simulation(own=Namespace("host", kernel, files))
    host.run_for(3.0)
    return [each.what for each in unseen(host.sampler)]


def test_doctor_says_which_figures_it_has_not_seen() -> None:
    missing = FakeKernel(error(-errno.ENOENT))
    linux = not_seen(missing, files_of(LINUX_COLUMNS, table("TcpExt", {"TW": 9}).encode()))
    assert [each for each in linux if "listeners" in each] == [
        "backlogs and drops of TCP listeners of network namespace host",
        "lengths, backlogs and drops of unix listeners of network namespace host",
    ]
    gvisor = not_seen(missing, files_of(GVISOR_COLUMNS, table("TcpExt", COUNTERS).encode()))
    assert [each for each in gvisor if "listeners" in each] == [
        "lengths, backlogs and drops of TCP listeners of network namespace host",
        "lengths, backlogs and drops of unix listeners of network namespace host",
    ]
    assert {"half-open connections", "TCP counters and settings"} <= set(gvisor)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(error(-errno.ENOENT), id="no inet_diag and no unix_diag"),
        pytest.param(done(-errno.ENOENT), id="no tcp_diag"),
        pytest.param(refused(errno.EPROTONOSUPPORT), id="no sock_diag"),
    ],
)
def test_a_kernel_without_modules_of_sock_diag_shows_what_proc_has(reply: bytes | OSError) -> None:
    counters = table("TcpExt", COUNTERS | {"TCPPureAcks": 9}).encode()
    files = files_of(LINUX_COLUMNS, counters)
    page = seen(FakeKernel(reply), files)
    assert shown(page) == {
        "accept_length",
        "accept_oldest_wait_seconds",
        "syn_recv",
        "syn_recv_unmatched",
        "netns_listen_overflows_total",
        "netns_syncookies_sent_total",
    }
    for source in ("inet", "unix", "syn_recv"):
        assert page.value("listen_queue_exporter_source_info", source=source, method="procfs") == 1
        assert success(page)[source] == 1
