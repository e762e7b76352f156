"""Sockets of one port that do not share the load."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from exporter.doctor.checks.reuseport import UNBALANCED
from exporter.doctor.finding import FindingSeverity
from tests.doctor.watching import findings
from tests.integration import listening_sockets

_PORT = 8080
_BACKLOG = 3


def two_sockets(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    first, second = (
        stack.enter_context(listening_sockets.tcp("127.0.0.1", _PORT, _BACKLOG, reuse_port=True))
        for _ in range(2)
    )
    return first, second


@pytest.mark.netns
def test_a_full_socket_beside_an_empty_one_is_unbalanced() -> None:
    with ExitStack() as stack:
        _, served = two_sockets(stack)
        served.settimeout(0.2)
        waiting = 0
        while waiting <= _BACKLOG:
            stack.enter_context(socket.create_connection(("127.0.0.1", _PORT), timeout=5.0))
            try:
                stack.enter_context(served.accept()[0])
            except TimeoutError:
                waiting += 1
        finding = findings()[UNBALANCED]
    assert finding.severity is FindingSeverity.CRITICAL
    assert finding.evidence[0] == "the fullest socket held 4 connections of 4, the others about 0"


@pytest.mark.netns
def test_two_full_sockets_are_in_balance() -> None:
    with ExitStack() as stack:
        first, _ = two_sockets(stack)
        for _ in range(60):
            stack.enter_context(listening_sockets.refused_client(first))
        found = findings()
    assert "queue-full" in found
    assert UNBALANCED not in found
