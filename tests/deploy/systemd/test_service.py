"""The unit for the host's own network namespace: start, reload, watchdog and stop by a real systemd."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from testbed.daemon import running
from testbed.waiting import equals, until
from tests.deploy.systemd.booted import EXPORTER, BootedSystemd
from tests.deploy.systemd.installation import Installation
from tests.integration import listening_sockets
from tests.integration.metric_values import Served, figure
from tests.integration.stopped_thread import sampler_of

CONFIG = "/etc/listen-queue-exporter/config.yaml"
DEFAULTS = "/etc/default/listen-queue-exporter"
LEVEL = {"rule": "defaults", "queue": "accept", "severity": "warning"}
WRONG = "defaults: {accept: {warning: lots}}\n"
SHORT_WATCHDOG = "[Service]\nWatchdogSec=2s\nRestartSec=100ms\n"
# The status is written twice in this time. A healthy exporter is never late by as much.
STATUS_SOON = "[Service]\nWatchdogSec=6s\n"
# For an exporter that the test stops for as long as the machine needs.
NO_WATCHDOG = "[Service]\nWatchdogSec=0\n"
QUICK_RESTART = "[Service]\nRestartSec=100ms\n"
# The range of dynamic users (systemd.exec(5)).
DYNAMIC_USERS = range(61184, 65520)
KILLING_FILTER = "[Service]\nSystemCallErrorNumber=kill\n"


def warning_at(level: int) -> str:
    return f"defaults: {{accept: {{warning: {level}, critical: 90}}}}\n"


def started(systemd: BootedSystemd, config: str | None = None, drop_in: str = "") -> BootedSystemd:
    """Start the exporter with the unit of deploy/systemd and a drop-in."""
    if config is not None:
        systemd.file(CONFIG, config)
        systemd.file(DEFAULTS, f'ARGS="--config.file={CONFIG} --log.level=info"\n')
    systemd.install(EXPORTER)
    systemd.write(f"{EXPORTER}.d/test.conf", drop_in)
    systemd.systemctl("start", EXPORTER)
    return systemd


def status(systemd: BootedSystemd) -> str:
    return systemd.show(EXPORTER, "StatusText")


def proc_status(pid: int) -> dict[str, str]:
    """The fields of /proc/<pid>/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.netns
def test_start_returns_when_the_page_is_served(installation: Installation, tmp_path: Path) -> None:
    with BootedSystemd(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", backlog=5):
        page = started(systemd).metrics()
        assert page.value("listen_queue_accept_limit", port="8080") == 5
        assert systemd.show(EXPORTER, "ActiveState") == "active"
        assert systemd.show(EXPORTER, "WatchdogUSec") == "30s"
        (pid,) = systemd.processes(EXPORTER)
        assert proc_status(pid)["NSpid"].split()[-1] == systemd.show(EXPORTER, "MainPID")


@pytest.mark.netns
def test_the_status_counts_listeners_and_names_what_cannot_be_read(
    installation: Installation, tmp_path: Path
) -> None:
    """The owners of other users' sockets need capabilities, which this unit does not have."""
    with (
        BootedSystemd(installation, tmp_path) as systemd,
        listening_sockets.tcp("127.0.0.1", backlog=1) as listener,
    ):
        clients = listening_sockets.clients(listener, 2)
        started(systemd)
        counted = r"\d+ listeners?, 1 full; network namespaces: 1; cannot see: owners of host"
        until(lambda: status(systemd), lambda text: re.fullmatch(counted, text) is not None)
        for client in clients:
            client.close()


@pytest.mark.netns
def test_it_runs_as_a_dynamic_user_without_capabilities_and_with_a_filter(
    installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        (pid,) = started(systemd).processes(EXPORTER)
        status_of_process = proc_status(pid)
        assert {int(user) in DYNAMIC_USERS for user in status_of_process["Uid"].split()} == {True}
        capabilities = {
            name: int(text, 16) for name, text in status_of_process.items() if name.startswith("Cap")
        }
        assert capabilities == dict.fromkeys(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"], 0)
        assert (status_of_process["NoNewPrivs"], status_of_process["Seccomp"]) == ("1", "2")


@pytest.mark.netns
def test_the_sandbox_hides_nothing_that_is_sampled(installation: Installation, tmp_path: Path) -> None:
    """Figures and methods are those of an exporter without a sandbox, except the owners of sockets."""
    names = ("exporter_source_success", "exporter_source_info", "accept_limit", "sysctl_net_core_somaxconn")

    def seen(served: Served) -> dict[str, set[tuple[frozenset[tuple[str, str]], float]]]:
        page = served.metrics()
        return {
            name: {
                (labels - {("process", dict(labels).get("process", ""))}, value)
                for labels, value in page.all(f"listen_queue_{name}").items()
                if dict(labels).get("source") != "owners"
            }
            for name in names
        }

    with (
        BootedSystemd(installation, tmp_path) as systemd,
        listening_sockets.tcp("127.0.0.1"),
        listening_sockets.tcp("::1", 8081),
        listening_sockets.unix("\0queue"),
        running(port=8082) as unconfined,
    ):
        started(systemd)
        until(lambda: seen(systemd), lambda found: found == seen(unconfined))
        assert len(seen(unconfined)["accept_limit"]) >= 5


@pytest.mark.netns
def test_it_makes_no_system_call_that_the_filter_forbids(installation: Installation, tmp_path: Path) -> None:
    """With a filter that kills, it keeps running."""
    with BootedSystemd(installation, tmp_path) as systemd, listening_sockets.unix("\0queue"):
        started(systemd, warning_at(3), KILLING_FILTER).metrics()
        systemd.file(CONFIG, warning_at(4))
        systemd.systemctl("reload", EXPORTER)
        assert figure(systemd, "threshold_connections", **LEVEL) == 4
        systemd.systemctl("stop", EXPORTER)
        assert systemd.show(EXPORTER, "Result") == "success"
        assert systemd.show(EXPORTER, "NRestarts") == "0"


@pytest.mark.netns
def test_reload_returns_when_the_new_configuration_is_in_force(
    installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        started(systemd, warning_at(1))
        for level in range(2, 7):
            systemd.file(CONFIG, warning_at(level))
            systemd.systemctl("reload", EXPORTER)
            assert figure(systemd, "threshold_connections", **LEVEL) == level


@pytest.mark.netns
def test_reload_waits_for_an_exporter_that_is_slow(installation: Installation, tmp_path: Path) -> None:
    """It is stopped when the signal comes."""
    with BootedSystemd(installation, tmp_path) as systemd:
        (pid,) = started(systemd, warning_at(1), NO_WATCHDOG).processes(EXPORTER)
        systemd.file(CONFIG, warning_at(2))
        os.kill(pid, SIGSTOP)
        with subprocess.Popen(systemd.command("systemctl", "reload", EXPORTER)) as reload:
            until(lambda: int(proc_status(pid)["ShdPnd"], 16), bool)
            until(lambda: systemd.show(EXPORTER, "ControlPID"), equals("0"))
            assert systemd.show(EXPORTER, "ActiveState") == "reloading"
            assert reload.poll() is None
            os.kill(pid, SIGCONT)
        assert reload.returncode == 0
        assert figure(systemd, "threshold_connections", **LEVEL) == 2


@pytest.mark.netns
def test_a_wrong_configuration_is_in_the_status_and_the_service_goes_on(
    installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        started(systemd, warning_at(3), STATUS_SOON)
        systemd.file(CONFIG, WRONG)
        systemd.systemctl("reload", EXPORTER)
        wrong = f"; configuration not reloaded: {CONFIG}:1:"
        assert wrong in status(systemd)
        before = systemd.show(EXPORTER, "WatchdogTimestampMonotonic")
        until(lambda: systemd.show(EXPORTER, "WatchdogTimestampMonotonic"), lambda now: now != before)
        assert wrong in status(systemd)
        assert figure(systemd, "threshold_connections", **LEVEL) == 3
        assert systemd.show(EXPORTER, "ActiveState") == "active"
        systemd.file(CONFIG, warning_at(4))
        systemd.systemctl("reload", EXPORTER)
        assert wrong not in status(systemd)


@pytest.mark.netns
def test_a_wrong_configuration_at_the_start_is_not_tried_again(
    installation: Installation, tmp_path: Path
) -> None:
    """It would fail again, and hide the first line of the log."""
    with BootedSystemd(installation, tmp_path) as systemd:
        systemd.write(f"{EXPORTER}.d/test.conf", "[Service]\nRestartSec=0\n")
        with pytest.raises(pytest.fail.Exception):
            started(systemd, WRONG)
        assert systemd.show(EXPORTER, "ActiveState") == "failed"
        assert systemd.show(EXPORTER, "ExecMainStatus") == "2"
        assert systemd.show(EXPORTER, "NRestarts") == "0"
        assert systemd.path("/run/log/exporter").read_text().startswith(f"{CONFIG}:1:")


def serves(systemd: BootedSystemd) -> bool:
    try:
        return bool(systemd.metrics().samples)
    except (OSError, http.client.HTTPException):
        return False


def samples(systemd: BootedSystemd) -> bool:
    return serves(systemd) and figure(systemd, "exporter_source_success", source="inet") == 1


def until_restarted(systemd: BootedSystemd, pid: int) -> None:
    """Return when another process than `pid` serves samples; on a slow machine it may be restarted twice."""
    until(lambda: int(systemd.show(EXPORTER, "NRestarts")), lambda restarts: restarts >= 1)
    until(lambda: systemd.show(EXPORTER, "ActiveState"), equals("active"))
    until(lambda: samples(systemd), bool)
    assert pid not in systemd.processes(EXPORTER)


@pytest.mark.netns
def test_the_watchdog_restarts_an_exporter_that_is_stopped(
    installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        (pid,) = started(systemd, drop_in=SHORT_WATCHDOG).processes(EXPORTER)
        os.kill(pid, SIGSTOP)
        until_restarted(systemd, pid)


@pytest.mark.netns
def test_the_watchdog_restarts_an_exporter_that_serves_and_does_not_sample(
    installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        (pid,) = started(systemd, drop_in=SHORT_WATCHDOG).processes(EXPORTER)
        with sampler_of(pid, systemd.metrics):
            until(lambda: serves(systemd), equals(False))  # noqa: FBT003  (a value)
        until_restarted(systemd, pid)


@pytest.mark.netns
def test_an_exporter_that_was_killed_is_restarted(installation: Installation, tmp_path: Path) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        (pid,) = started(systemd, drop_in=QUICK_RESTART).processes(EXPORTER)
        os.kill(pid, SIGKILL)
        until_restarted(systemd, pid)
        assert systemd.show(EXPORTER, "NRestarts") == "1"


@pytest.mark.netns
def test_stop_succeeds_and_leaves_no_process(installation: Installation, tmp_path: Path) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        started(systemd)
        systemd.systemctl("stop", EXPORTER)
        assert systemd.show(EXPORTER, "Result") == "success"
        assert systemd.show(EXPORTER, "ExecMainStatus") == "0"
        assert systemd.processes(EXPORTER) == []
