"""Backlogs that are smaller than they could be, provoked in a network namespace."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from testbed.namespace import write_sysctl
from testbed.waiting import until
from tests.doctor.diagnosis import found
from tests.integration import listening_sockets

_CAPPED = "backlog-capped"


@pytest.mark.netns
def test_a_full_queue_whose_backlog_is_somaxconn_is_capped() -> None:
    write_sysctl("net.core.somaxconn", 3)
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=64) as listener, ExitStack() as stack:
        assert _CAPPED not in found()
        for client in listening_sockets.clients(listener, 4):
            stack.enter_context(client)
        finding = until(found, lambda each: _CAPPED in each and each[_CAPPED]["certainty"] == "certain")[
            _CAPPED
        ]
    assert finding["severity"] == "warning"
    assert finding["listener"]["port"] == "8080"
    assert finding["evidence"][0] == (
        "its backlog is 3, which is net.core.somaxconn here: the kernel grants no more"
    )
    assert "4 connections waited at most, of 4 that it holds" in finding["evidence"][1]
    assert "net.core.somaxconn=4096" in finding["change"]


@pytest.mark.netns
def test_a_full_queue_whose_program_asks_for_less_than_somaxconn_is_not_capped() -> None:
    write_sysctl("net.core.somaxconn", 64)
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=3) as listener, ExitStack() as stack:
        for client in listening_sockets.clients(listener, 4):
            stack.enter_context(client)
        assert _CAPPED not in found()
