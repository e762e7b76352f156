"""An ordinary user without any capability sees everything but the owners of other users' sockets."""

from __future__ import annotations

import json
import socket

import pytest

from testbed import flood, privileges
from testbed.waiting import until, until_equal
from tests.integration import listening_sockets, reference
from tests.integration.forked_exporter import Fork, ForkedExporter, load_everything
from tests.integration.metric_values import figure, until_figure
from tests.integration.service import Service

SOURCE_SUCCESS = "exporter_source_success"


NOT_SEEN = (
    "listen-queue-exporter: not seen: other network namespaces (containers): run it as root, or with"
    " CAP_SYS_ADMIN and CAP_SYS_PTRACE\n"
    "listen-queue-exporter: not seen: the processes of 3 listening sockets: run it as root, or with"
    " CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH\n"
)


def of_root() -> list[socket.socket]:
    """Listeners of each protocol."""
    return [
        listening_sockets.tcp("0.0.0.0", 8080, backlog=9),
        listening_sockets.tcp("::1", 8081, backlog=9),
        listening_sockets.unix("\0of-root", backlog=9),
    ]


def become_nobody() -> None:
    """Give up root and every capability."""
    load_everything()
    privileges.drop_to(privileges.NOBODY)


@pytest.mark.netns
def test_nobody_sees_every_figure_and_that_owners_are_missing() -> None:
    with flood.Tun() as tun, Service(b"of-root", of_root):
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 5)
        become_nobody()
        with listening_sockets.tcp("127.0.0.1", 8082) as own, ForkedExporter() as exporter:
            waiting = listening_sockets.clients(own, 3)
            until_equal(lambda: reference.from_page(exporter), reference.from_ss)
            until_figure(exporter, 5, "syn_recv", port="8080")
            until_figure(exporter, 0, SOURCE_SUCCESS, source="owners")
            until_figure(exporter, 3, "exporter_sockets_without_owner")
            for source in ("inet", "unix", "syn_recv", "netstat", "oldest_wait"):
                until_figure(exporter, 1, SOURCE_SUCCESS, source=source)
            for labels in ({"port": "8080"}, {"port": "8081"}, {"address": "@of-root"}):
                until_figure(exporter, 9, "accept_limit", process="", **labels)
                until_figure(exporter, 1, "listener_info", user="root", **labels)
            until_figure(exporter, None, "accept_length", port="8082", process="")
            until(
                lambda: figure(exporter, "accept_oldest_wait_seconds", port="8082") or 0, lambda age: age > 0
            )
            for client in waiting:
                client.close()


@pytest.mark.netns
def test_owners_succeed_where_only_own_sockets_listen() -> None:
    become_nobody()
    with listening_sockets.tcp("127.0.0.1"), ForkedExporter() as exporter:
        until_figure(exporter, 1, SOURCE_SUCCESS, source="owners")
        until_figure(exporter, 0, "exporter_sockets_without_owner")


@pytest.mark.netns
def test_show_works_for_nobody_and_reports_what_is_missing() -> None:
    with Service(b"of-root", of_root):
        become_nobody()
        show = Fork("show", "--json")
        assert show.wait() == 0
        found = {row["port"]: row["process"] for row in json.loads(show.output)}
        assert found == {"8080": "", "8081": "", "": ""}
        assert show.errors == NOT_SEEN
