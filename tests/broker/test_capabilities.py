"""Which process has which capability, and what each of them is for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.broker import supervisor
from exporter.broker.capabilities import ENTER, KILL, Capability, keep_only, permitted
from exporter.broker.confinement import Confinement
from exporter.broker.process_name import FILE_BROKER
from exporter.broker.user import User
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.opened import OpenedDescriptors
from testbed import privileges, syscalls
from tests.broker.broker_processes import (
    broker_of,
    open_one,
    running_broker,
    status,
    supervisor_of,
    wait_for_child,
)
from tests.broker.namespaced_process import NamespacedProcess, give_name, hide_named

ALL = frozenset(Capability)
_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def mask(*capabilities: int) -> int:
    return sum(1 << capability for capability in capabilities)


def held(pid: int | str = "self") -> dict[str, int]:
    found = status(pid)
    return {name: int(found[name], 16) for name in _SETS}


@pytest.fixture(autouse=True)
def _have_all() -> None:
    if permitted() != ALL:
        pytest.skip(f"only {sorted(permitted())} of the capabilities are held")


@pytest.mark.netns
def test_the_exporter_has_none_and_the_broker_has_three() -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        keep_only(())
        assert set(held().values()) == {0}
        assert status("self")["NoNewPrivs"] == "1"
        assert permitted() == frozenset()
        supervising = supervisor_of(os.getpid())
        for pid, in_use in ((supervising, 0), (broker_of(supervising), mask(*ALL))):
            sets = held(pid)
            assert sets["CapPrm"] == mask(*ALL)
            assert sets["CapEff"] == in_use
            assert sets["CapInh"] == sets["CapBnd"] == sets["CapAmb"] == 0
            assert status(pid)["NoNewPrivs"] == "1"
        open_one(broker, NamespaceTarget(pid=process.pid)).close()
        with pytest.raises(PermissionError):
            # A process that may read this may trace the broker, and so use its capabilities.
            Path(f"/proc/{broker_of(supervising)}/fd/0").readlink()


@pytest.mark.netns
def test_where_the_brokers_stay_root_one_of_them_may_kill_the_exporter() -> None:
    """It is of another user then (exporter/broker/confinement.py)."""
    confinement = Confinement(ENTER, User(privileges.NOBODY, privileges.NOBODY))
    started = supervisor.start(confinement)
    supervising = started.supervisor
    (files,) = wait_for_child(supervising, FILE_BROKER)
    for pid in (supervising, broker_of(supervising)):
        assert held(pid)["CapPrm"] == mask(*ENTER, KILL)
    assert held(files)["CapPrm"] == mask(Capability.SYS_PTRACE)
    started.channel.close()
    os.waitpid(supervising, 0)


@pytest.mark.netns
def test_a_program_that_the_exporter_starts_gets_none_back_though_it_is_root() -> None:
    keep_only(())
    output = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    sets = dict(line.split(":\t") for line in output.splitlines() if line.startswith("Cap"))
    assert os.getuid() == 0
    assert {int(value, 16) for value in sets.values()} == {0}
    with pytest.raises(PermissionError):
        syscalls.unshare(syscalls.CLONE_NEWNET)


@pytest.mark.netns
def test_without_cap_setpcap_nothing_comes_back_either() -> None:
    script = (
        "import os, sys; from exporter.broker.capabilities import *;"
        "print(*map(int, sorted(permitted()))); keep_only(()); print(*map(int, sorted(permitted())));"
        "sys.stdout.flush(); os.execvp('grep', ['grep', 'Cap[PEA]', '/proc/self/status'])"
    )
    command = ["setpriv", "--bounding-set=-setpcap", sys.executable, "-c", script]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert output[:2] == ["2 19 21", ""]
    assert {int(line.split()[1], 16) for line in output[2:]} == {0}
    assert len(output) == 5


@pytest.mark.netns
def test_only_what_was_held_is_kept() -> None:
    keep_only({Capability.SYS_PTRACE, Capability.SYS_ADMIN})
    assert permitted() == ENTER
    keep_only(ALL)
    assert permitted() == ENTER
    keep_only({Capability.DAC_READ_SEARCH, Capability.SYS_ADMIN})
    assert permitted() == {Capability.SYS_ADMIN}
    assert held()["CapEff"] == mask(Capability.SYS_ADMIN)


def _outcome(call: Callable[[], object]) -> str:
    try:
        found = call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    if isinstance(found, OpenedDescriptors):
        found.close()
    return "works" if found else "not found"


@pytest.mark.netns
@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        pytest.param(None, ["works"] * 6, id="none missing"),
        pytest.param(
            Capability.SYS_ADMIN,
            ["EPERM", "EPERM", "EPERM", "works", "works", "works"],
            id="without SYS_ADMIN",
        ),
        pytest.param(
            Capability.SYS_PTRACE,
            ["EPERM", "EPERM", "works", "not found", "EACCES", "EACCES"],
            id="without SYS_PTRACE",
        ),
        pytest.param(
            Capability.DAC_READ_SEARCH,
            ["works", "works", "works", "works", "works", "EACCES"],
            id="without DAC_READ_SEARCH",
        ),
    ],
)
def test_what_works_without_one_of_them(missing: Capability | None, expected: list[str]) -> None:
    hide_named()
    with NamespacedProcess(81) as process, NamespacedProcess(82, user=4711) as other:
        give_name("web", other.pid)
        with running_broker(ALL - {missing}) as broker:
            calls: list[Callable[[], object]] = [
                lambda: open_one(broker, NamespaceTarget(pid=process.pid)),
                lambda: open_one(broker, NamespaceTarget(pid=other.pid)),
                lambda: open_one(broker, NamespaceTarget(name=b"web")),
                lambda: broker.namespaces([process.pid]),
                lambda: list(broker.sockets(process.pid)),
                lambda: list(broker.sockets(other.pid)),
            ]
            assert [_outcome(call) for call in calls] == expected
            assert broker.ended == 0
            assert _works_without(broker, other.pid)


def _works_without(broker: BrokerClient, pid: int) -> bool:
    """Tell whether what needs no capability works: the list of processes, and their names."""
    descriptor = broker.open_of_process(pid, "comm")
    os.close(descriptor)
    return pid in broker.pids()
