"""Processes by way of the broker: what happens where it is lost. The rest is in test_process."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from exporter.kernel.errors import BrokerUnavailableError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.processes.brokered import BrokeredProcesses


def test_a_lost_broker_is_raised_by_every_method() -> None:
    """Not as a process that is gone, or whose descriptors are denied."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    client = BrokerClient(ours)
    processes = BrokeredProcesses(client)
    calls: list[Callable[[], object]] = [
        processes.pids,
        lambda: processes.read(1),
        lambda: processes.executable(1),
        lambda: list(processes.sockets(1)),
    ]
    for call in calls:
        with pytest.raises(BrokerUnavailableError, match="the broker is gone") as lost:
            call()
        assert lost.value.reason == "broker"
    client.close()
