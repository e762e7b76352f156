"""What an attacker gains who runs code as the process that serves, or as the same user beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from signal import SIGHUP, SIGKILL

import pytest

from exporter.broker.capabilities import Capability, keep_only
from exporter.cli.privileges import Privileges
from testbed import figures, privileges, syscalls
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.broker.broker_processes import processes, state, status, supervisor_of, wait_for_child
from tests.integration.forked_exporter import ForkedExporter
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import only
from tests.integration.test_netns_capabilities import become_nobody_with, config_file
from tests.sandbox.confined import WORKS, outcomes

pytestmark = pytest.mark.netns

_PR_CAPBSET_DROP = 24
_THREE = (2, 19, 21)
_PIDFD_GETFD = 438
_PTRACE_SEIZE = 0x4206
_MAX_DESCRIPTOR = 32
_RELOADED = "exporter_config_last_reload_successful"


@pytest.mark.fault(
    "started as root", "every process is nobody, in no other group, with filtered system calls"
)
@pytest.mark.parametrize(
    ("flags", "uid", "gid"), [((), "65534", "65534"), (("--user=4711:12",), "4711", "12")]
)
def test_no_process_stays_root(flags: tuple[str, ...], uid: str, gid: str) -> None:
    with Daemon(*flags, namespaces=True, confined=True, config=only("none")).wait_ready() as daemon:
        for name, pid in processes(daemon.pid).items():
            found = status(pid)
            assert set(found["Uid"].split()) == {uid}, name
            assert set(found["Gid"].split()) == {gid}, name
            assert found["Groups"] == ""
            assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
            for kind in ("user", "seccomp"):
                assert figure(daemon, "exporter_sandbox", process=name, kind=kind) == 1
        assert figure(daemon, "exporter_source_success", source="namespaces") == 1
        assert figure(daemon, "exporter_source_success", source="owners") == 1


def test_without_the_sandbox_the_metric_says_so() -> None:
    with Daemon("--no-sandbox", "--user=root", namespaces=True, config=only("none")).wait_ready() as daemon:
        for name, pid in processes(daemon.pid).items():
            assert status(pid)["Seccomp"] == "0"
            for kind in ("user", "seccomp"):
                assert figure(daemon, "exporter_sandbox", process=name, kind=kind) == 0
        assert figure(daemon, "exporter_sandbox", process="exporter", kind="landlock") == 0


@pytest.mark.fault(
    "code that runs in the process that serves HTTP, started as root",
    "it neither writes a file of root nor ends a process of root",
)
@pytest.mark.parametrize("sandbox", [True, False])
def test_the_process_that_serves_has_no_power_of_root(tmp_path: Path, sandbox: bool) -> None:  # noqa: FBT001
    file = tmp_path / "of-root"
    file.write_text("content")
    file.chmod(0o600)
    victim = subprocess.Popen(["sleep", "60"])

    def give_up() -> None:
        given = Privileges.wanted(None, sandbox=sandbox)
        brokers = given.start_brokers()
        given.drop_all(brokers=brokers is not None)

    calls: dict[str, Callable[[], object]] = {
        "write": lambda: file.write_text("other"),
        "read": file.read_text,
        "shadow": lambda: os.open("/etc/shadow", os.O_RDWR),
        "end": lambda: os.kill(victim.pid, signal.SIGKILL),
        "look": lambda: os.listdir(f"/proc/{victim.pid}/fd"),  # noqa: PTH208
    }
    try:
        found = outcomes(give_up, calls)
        assert found.keys() == calls.keys()
        assert set(found.values()) <= {"EACCES", "EPERM"}
        assert victim.poll() is None
        assert file.read_text() == "content"
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.fault(
    "a configuration that only root may read, at a reload", "it is read, and what is wrong with it is told"
)
@pytest.mark.parametrize("capabilities", [True, False], ids=["with capabilities", "without"])
def test_a_file_of_root_is_read_again(capabilities: bool) -> None:  # noqa: FBT001
    if not capabilities:
        for number in _THREE:
            syscalls.prctl(_PR_CAPBSET_DROP, number)
    with Daemon(confined=True, config="max_listeners: 7\n") as daemon:
        daemon.config_file.chmod(0o600)
        daemon.config_file.parent.chmod(0o700)
        daemon.wait_ready()
        assert status(daemon.pid)["Uid"].split()[0] == str(privileges.NOBODY)
        daemon.config_file.write_text("defaults: {accept: {warning: 3, critical: 9}}\n")
        began = time.monotonic()
        daemon.signal(SIGHUP)
        level = {"rule": "defaults", "queue": "accept", "severity": "warning"}
        until_figure(daemon, 3, "threshold_connections", **level)
        figures.note(f"{time.monotonic() - began:.2f} s")
        daemon.config_file.write_text("nonsense: 1\n")
        daemon.signal(SIGHUP)
        until_figure(daemon, 0, _RELOADED)
        daemon.wait_for_log("nonsense")
        daemon.config_file.unlink()
        daemon.signal(SIGHUP)
        daemon.wait_for_log("no such file")
        until_figure(daemon, 3, "threshold_connections", **level)


@pytest.mark.fault("/run/netns may be read by root alone", "its namespaces are sampled, under their names")
def test_names_of_namespaces_that_only_root_may_read() -> None:
    with Namespaces() as namespaces:
        namespaces.named("other").listen_tcp(8080, backlog=7)
        Path("/run/netns").chmod(0o700)
        with Daemon(namespaces=True, confined=True, config=only("other", "later")).wait_ready() as daemon:
            until_figure(daemon, 7, "accept_limit", netns="other")
            namespaces.named("later").listen_tcp(8080, backlog=8)
            until_figure(daemon, 8, "accept_limit", netns="later")
            namespaces.remove_name("other")
            until_figure(daemon, None, "accept_limit", netns="other")
            until_figure(daemon, 1, "exporter_source_success", source="namespaces")


@pytest.mark.fault(
    "another process of the same user, which wants the channel to the broker",
    "it takes no descriptor, traces nothing and reads no memory",
)
def test_no_process_of_the_same_user_takes_the_channel() -> None:
    with Daemon(namespaces=True, confined=True, config=only("none")).wait_ready() as daemon:
        targets = list(processes(daemon.pid).values())
        assert outcomes(privileges.drop_to, attacks(targets)) == refusals(targets)
        # It looks at itself all the same.
        assert figure(daemon, "exporter_source_success", source="owners") == 1
        assert daemon.metrics().value("process_open_fds") > 0


def test_nor_where_it_was_started_as_that_user(tmp_path: Path) -> None:
    """As a unit with AmbientCapabilities= is: there the kernel hides nothing by itself."""
    flag = config_file(tmp_path, only("none"))
    become_nobody_with(frozenset(Capability))
    with ForkedExporter(flag) as exporter:
        targets = list(processes(exporter.pid).values())
        assert outcomes(lambda: keep_only(()), attacks(targets)) == refusals(targets)


def attacks(pids: Sequence[int]) -> dict[str, Callable[[], object]]:
    """What would give away the channel to the broker, or the whole process."""

    def take(pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        for descriptor in range(_MAX_DESCRIPTOR):
            syscalls.call("syscall", _PIDFD_GETFD, pidfd, descriptor, 0)

    return {
        f"{name} {pid}": partial(attack, pid)
        for pid in pids
        for name, attack in {
            "take": take,
            "trace": lambda pid: syscalls.call("ptrace", _PTRACE_SEIZE, pid, None, None),
            "read": lambda pid: os.open(f"/proc/{pid}/mem", os.O_RDONLY),
            "list": lambda pid: os.listdir(f"/proc/{pid}/fd"),  # noqa: PTH208
        }.items()
    }


def refusals(pids: Sequence[int]) -> dict[str, str]:
    refused = {"take": "EPERM", "trace": "EPERM", "read": "EACCES", "list": "EACCES"}
    return {f"{name} {pid}": error for pid in pids for name, error in refused.items()}


@pytest.mark.fault("the supervisor is killed", "the exporter ends with status 1, and leaves no process")
def test_without_a_supervisor_the_exporter_ends() -> None:
    with Namespaces() as namespaces:
        namespaces.named("other").listen_tcp(8080, backlog=7)
        with Daemon(namespaces=True, config=only("other")).wait_ready() as daemon:
            until_figure(daemon, 7, "accept_limit", netns="other")
            left = processes(daemon.pid)
            began = time.monotonic()
            os.kill(left["supervisor"], SIGKILL)
            assert daemon.wait() == 1
            figures.note(f"{time.monotonic() - began:.2f} s")
            until(lambda: {state(pid) for pid in left.values()} - {"", "Z", "X"}, equals(set()))
            assert daemon.log.count("has ended: killed by signal 9") == 1
            assert "Traceback" not in daemon.log


@pytest.mark.fault("both brokers are killed again and again", "they come back, and the log says little")
def test_killed_brokers_come_back() -> None:
    with Namespaces() as namespaces:
        namespaces.named("other").listen_tcp(8080, backlog=7)
        with Daemon(namespaces=True, config=only("other")).wait_ready() as daemon:
            until_figure(daemon, 7, "accept_limit", netns="other")
            supervisor = supervisor_of(daemon.pid)
            for _ in range(5):
                for name in ("lqe-broker", "lqe-file-broker"):
                    (pid,) = wait_for_child(supervisor, name)
                    os.kill(pid, SIGKILL)
                    until(lambda pid=pid: state(pid), lambda letter: letter in {"", "Z", "X"})  # type: ignore[misc]
            until(lambda: figure(daemon, "exporter_broker_restarts_total"), equals(5))
            until_figure(daemon, 1, "exporter_source_success", source="namespaces")
            lines = len(daemon.log.splitlines())
            figures.note(f"{lines} lines")
            assert lines < 40
            assert daemon.stop() == 0


def test_outcomes_of_what_works_are_told() -> None:
    assert outcomes(lambda: None, {"nothing": lambda: None}) == {"nothing": WORKS}
