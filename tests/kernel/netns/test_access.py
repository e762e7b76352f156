"""Finding other namespaces, and attaching them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.broker.wire import MAX_TARGETS
from exporter.kernel.errors import BrokerUnavailableError
from exporter.kernel.family import TCP
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.records import Method
from testbed.waiting import equals, until
from tests.broker.broker_processes import broker_of, running_broker, supervisor_of
from tests.broker.namespaced_process import NamespacedProcess

pytestmark = pytest.mark.netns


def test_a_namespace_that_was_found_can_be_attached_and_read(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        refs = {ref.inode: ref for ref in access.find()}
        assert Path("/proc/self/ns/net").stat().st_ino not in refs
        remote = access.namespace("web", refs[process.inode].target)
        assert remote.namespace.name == "web"
        for attached, error in access.attach([(remote, ("net/snmp",))]):
            assert (attached, error) == (remote, None)
            changes = remote.namespace.listeners(TCP, Method.SOCK_DIAG).read(0.0)
            assert [listener.port for listener, _ in changes.opened] == ["81"]


def test_as_many_as_are_promised_can_be_attached_at_once(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        target = next(ref.target for ref in access.find() if ref.inode == process.inode)
        remotes = [(access.namespace(str(number), target), ()) for number in range(access.max_attached)]
        assert access.max_attached == MAX_TARGETS
        assert [error for _, error in access.attach(remotes)] == [None] * MAX_TARGETS


def test_brokers_that_ended_are_counted(tmp_path: Path) -> None:
    with running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        access.find()
        assert access.broker_restarts() == 0
        supervising = supervisor_of(os.getpid())
        os.kill(broker_of(supervising), signal.SIGKILL)
        until(lambda: restarts(access), equals(1))


def restarts(access: NamespaceAccess) -> int:
    """Ask the broker, which may be lost, and return how many have ended."""
    with suppress(BrokerUnavailableError):
        access.find()
    return access.broker_restarts()
