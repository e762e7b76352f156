"""Who has which capability, and what each of them is for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.broker.capabilities import ENTER, Capability, keep_only, permitted
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.netns.broker_client import BrokerClient, OpenedDescriptors
from testbed import syscalls
from tests.broker.broker_processes import broker_of, brokered, keeper_of, one, status
from tests.broker.namespaced_process import Neighbour, give_name, hide_named

ALL = frozenset(Capability)
_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def mask(*capabilities: Capability) -> int:
    return sum(1 << capability for capability in capabilities)


def held(pid: int | str = "self") -> dict[str, int]:
    found = status(pid)
    return {name: int(found[name], 16) for name in _SETS}


@pytest.fixture(autouse=True)
def _all_are_there() -> None:
    if permitted() != ALL:
        pytest.skip(f"only {sorted(permitted())} of the capabilities are held")


@pytest.mark.netns
def test_the_exporter_has_none_and_the_broker_its_three() -> None:
    with Neighbour(81) as neighbour, brokered() as broker:
        keep_only(())
        assert set(held().values()) == {0}
        assert status("self")["NoNewPrivs"] == "1"
        assert permitted() == frozenset()
        kept_by = keeper_of(os.getpid())
        for pid in (kept_by, broker_of(kept_by)):
            sets = held(pid)
            assert sets["CapEff"] == sets["CapPrm"] == mask(*ALL)
            assert sets["CapInh"] == sets["CapBnd"] == sets["CapAmb"] == 0
            assert status(pid)["NoNewPrivs"] == "1"
        one(broker, NamespaceTarget(pid=neighbour.pid)).close()
        with pytest.raises(PermissionError):
            # Who may look at this may trace a process, and so use what it may do.
            Path(f"/proc/{broker_of(kept_by)}/fd/0").readlink()


@pytest.mark.netns
def test_what_the_exporter_starts_gets_none_back_though_it_is_root() -> None:
    keep_only(())
    said = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    sets = dict(line.split(":\t") for line in said.splitlines() if line.startswith("Cap"))
    assert os.getuid() == 0
    assert {int(value, 16) for value in sets.values()} == {0}
    with pytest.raises(PermissionError):
        syscalls.unshare(syscalls.CLONE_NEWNET)


@pytest.mark.netns
def test_where_the_bounding_set_may_not_be_touched_nothing_comes_back_either() -> None:
    script = (
        "import os, sys; from exporter.broker.capabilities import *;"
        "print(*map(int, sorted(permitted()))); keep_only(()); print(*map(int, sorted(permitted())));"
        "sys.stdout.flush(); os.execvp('grep', ['grep', 'Cap[PEA]', '/proc/self/status'])"
    )
    command = ["setpriv", "--bounding-set=-setpcap", sys.executable, "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[:2] == ["2 19 21", ""]
    assert {int(line.split()[1], 16) for line in said[2:]} == {0}
    assert len(said) == 5


@pytest.mark.netns
def test_only_what_was_held_is_kept() -> None:
    keep_only({Capability.SYS_PTRACE, Capability.SYS_ADMIN})
    assert permitted() == ENTER
    keep_only(ALL)
    assert permitted() == ENTER
    keep_only({Capability.DAC_READ_SEARCH, Capability.SYS_ADMIN})
    assert permitted() == {Capability.SYS_ADMIN}
    assert held()["CapEff"] == mask(Capability.SYS_ADMIN)


def _outcome(ask: Callable[[], object]) -> str:
    try:
        found = ask()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    if isinstance(found, OpenedDescriptors):
        found.close()
    return "works" if found else "not seen"


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
            ["EPERM", "EPERM", "works", "not seen", "EACCES", "EACCES"],
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
    with Neighbour(81) as neighbour, Neighbour(82, user=4711) as other:
        give_name("web", other.pid)
        with brokered(ALL - {missing}) as broker:
            questions: list[Callable[[], object]] = [
                lambda: one(broker, NamespaceTarget(pid=neighbour.pid)),
                lambda: one(broker, NamespaceTarget(pid=other.pid)),
                lambda: one(broker, NamespaceTarget(name=b"web")),
                lambda: neighbour.inode in broker.namespaces(),
                lambda: list(broker.sockets(neighbour.pid)),
                lambda: list(broker.sockets(other.pid)),
            ]
            assert [_outcome(ask) for ask in questions] == expected
            assert broker.ended == 0
            assert _always(broker, other.pid)


def _always(broker: BrokerClient, pid: int) -> bool:
    """What needs no capability: which processes there are, and how they are called."""
    descriptor = broker.open_of_process(pid, "comm")
    os.close(descriptor)
    return pid in broker.pids()
