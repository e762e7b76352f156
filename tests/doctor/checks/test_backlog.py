"""Backlogs that are smaller than they could be, provoked in a network namespace."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from exporter.doctor.finding import Certainty, FindingSeverity
from testbed.namespace import write_sysctl
from testbed.waiting import until
from tests.doctor import services
from tests.doctor.diagnosis import diagnosis, found
from tests.doctor.watching import findings
from tests.integration import listening_sockets

_CAPPED = "backlog-capped"
_SMALL = "backlog-small"
_TINY = "backlog-tiny"
_TCP_DEFER_ACCEPT = 9


@pytest.mark.netns
def test_a_full_queue_whose_backlog_is_somaxconn_is_capped() -> None:
    write_sysctl("net.core.somaxconn", 3)
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=64) as listener, ExitStack() as stack:
        assert _CAPPED not in found()
        for client in listening_sockets.clients(listener, 4):
            stack.enter_context(client)
        finding = until(found, lambda each: _CAPPED in each)[_CAPPED]
    assert (finding["severity"], finding["certainty"]) == ("warning", "certain")
    assert finding["listener"]["port"] == "8080"
    assert finding["evidence"][0] == (
        "its backlog is 3, which is net.core.somaxconn here: the kernel grants no more"
    )
    assert "4 connections waited at most, of 4 that it holds" in finding["evidence"][1]
    assert "net.core.somaxconn=4096" in finding["change"]


@pytest.mark.netns
def test_a_backlog_that_is_larger_than_somaxconn_now_is_not_capped_by_it() -> None:
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=64) as listener, ExitStack() as stack:
        write_sysctl("net.core.somaxconn", 8)
        for client in listening_sockets.clients(listener, 60):
            stack.enter_context(client)
        assert not found().keys() & {_CAPPED, _SMALL}


@pytest.mark.netns
def test_drops_of_defer_accept_are_no_lost_clients() -> None:
    """Beside one overflow of another listener."""
    with (
        listening_sockets.tcp("127.0.0.1", 8080, backlog=8) as deferring,
        listening_sockets.tcp("127.0.0.1", 8081, backlog=1) as full,
        ExitStack() as stack,
    ):
        deferring.setsockopt(socket.IPPROTO_TCP, _TCP_DEFER_ACCEPT, 30)
        for _ in range(3):
            (client,) = listening_sockets.clients(deferring, 1)
            stack.enter_context(client).sendall(b"x")
            stack.enter_context(listening_sockets.accept(deferring, 1)[0])
        for client in listening_sockets.clients(full, 2):
            stack.enter_context(client)
        listening_sockets.refused_client(full).close()
        for accepted in listening_sockets.accept(full, 2):
            stack.enter_context(accepted)
        ports = {each["listener"]["port"] for each in diagnosis()["findings"] if each.get("listener")}
    assert "8080" not in ports


@pytest.mark.netns
def test_a_full_queue_whose_program_asks_for_less_than_somaxconn_is_not_capped() -> None:
    write_sysctl("net.core.somaxconn", 64)
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=3) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, 4):
            stack.enter_context(client)
        assert _CAPPED not in found()


@pytest.mark.netns
def test_a_small_backlog_on_a_busy_listener_is_the_setting_of_its_program() -> None:
    with services.slow(8080, 5, 60.0), ExitStack() as stack:
        assert _SMALL not in findings()
        for _ in range(4):
            stack.enter_context(socket.create_connection(("127.0.0.1", 8080), timeout=5.0))
        finding = until(findings, lambda each: _SMALL in each)[_SMALL]
    assert finding.certainty is Certainty.LIKELY
    assert finding.evidence == (
        "its backlog is 5, and net.core.somaxconn here is 4096",
        "4 connections waited at most, of 6 that it holds",
    )
    assert finding.change.startswith("raise `request_queue_size` of the class")


@pytest.mark.netns
def test_a_tiny_backlog_matters_only_where_everybody_can_connect() -> None:
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=5):
        assert _TINY not in findings()
    with listening_sockets.tcp("0.0.0.0", 8080, backlog=64):
        assert _TINY not in findings()
    with listening_sockets.tcp("0.0.0.0", 8080, backlog=5):
        tiny = findings()[_TINY]
        assert tiny.severity is FindingSeverity.NOTE
        assert "nobody was lost so far" in tiny.evidence[-1]


@pytest.mark.netns
def test_a_tiny_backlog_at_which_clients_wait_is_not_called_harmless() -> None:
    write_sysctl("net.core.somaxconn", 8)
    with listening_sockets.tcp("0.0.0.0", 8080, backlog=5) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, 4):
            stack.enter_context(client)
        tiny = until(findings, lambda each: _TINY in each)[_TINY]
    assert tiny.evidence == ("its backlog is 5: when 6 clients wait, the next one is dropped",)


@pytest.mark.netns
def test_the_smallest_backlog_is_told_in_the_singular() -> None:
    with listening_sockets.tcp("0.0.0.0", 8080, backlog=0):
        assert findings()[_TINY].evidence[0] == (
            "its backlog is 0: when 1 client waits, the next one is dropped"
        )
