"""The unit for the host's own network namespace, started, reloaded, watched and stopped by a real systemd."""

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
from tests.deploy.systemd.booted import EXPORTER, Booted
from tests.deploy.systemd.installation import Installation
from tests.integration import listening_sockets
from tests.integration.metric_values import Served, figure
from tests.integration.stopped_thread import sampler_of

CONFIG = "/etc/listen-queue-exporter/config.yaml"
DEFAULTS = "/etc/default/listen-queue-exporter"
LEVEL = {"rule": "defaults", "queue": "accept", "severity": "warning"}
WRONG = "defaults: {accept: {warning: lots}}\n"
EAGER_WATCHDOG = "[Service]\nWatchdogSec=2s\nRestartSec=100ms\n"
# The users that systemd makes up.
DYNAMIC_USERS = range(61184, 65520)
DEADLY_FILTER = "[Service]\nSystemCallErrorNumber=kill\n"


def warning_at(level: int) -> str:
    return f"defaults: {{accept: {{warning: {level}, critical: 90}}}}\n"


def started(systemd: Booted, config: str | None = None, drop_in: str = "") -> Booted:
    """The exporter as a service, from the unit as it is and a drop-in of the test."""
    if config is not None:
        systemd.file(CONFIG, config)
        systemd.file(DEFAULTS, f'ARGS="--config.file={CONFIG} --log.level=info"\n')
    systemd.install(EXPORTER)
    systemd.write(f"{EXPORTER}.d/test.conf", drop_in)
    systemd.systemctl("start", EXPORTER)
    return systemd


def status(systemd: Booted) -> str:
    return systemd.show(EXPORTER, "StatusText")


def of_status(pid: int) -> dict[str, str]:
    """What /proc/<pid>/status says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.netns
def test_start_returns_when_the_page_is_served(installation: Installation, tmp_path: Path) -> None:
    with Booted(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", backlog=5):
        page = started(systemd).metrics()
        assert page.value("listen_queue_accept_limit", port="8080") == 5
        assert systemd.show(EXPORTER, "ActiveState") == "active"
        assert systemd.show(EXPORTER, "WatchdogUSec") == "30s"
        (pid,) = systemd.processes(EXPORTER)
        assert of_status(pid)["NSpid"].split()[-1] == systemd.show(EXPORTER, "MainPID")


@pytest.mark.netns
def test_the_status_counts_listeners_and_says_what_is_not_seen(
    installation: Installation, tmp_path: Path
) -> None:
    """Owners of other users' sockets take capabilities, which this unit has not."""
    with Booted(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", backlog=1) as listener:
        clients = listening_sockets.clients(listener, 2)
        started(systemd)
        counted = r"\d+ listeners, 1 full; network namespaces: 1; cannot see: owners of host"
        until(lambda: status(systemd), lambda text: re.fullmatch(counted, text) is not None)
        for client in clients:
            client.close()


@pytest.mark.netns
def test_it_is_a_user_of_its_own_without_capabilities_behind_a_filter(
    installation: Installation, tmp_path: Path
) -> None:
    with Booted(installation, tmp_path) as systemd:
        (pid,) = started(systemd).processes(EXPORTER)
        told = of_status(pid)
        assert {int(user) in DYNAMIC_USERS for user in told["Uid"].split()} == {True}
        capabilities = {name: int(told[name], 16) for name in told if name.startswith("Cap")}
        assert capabilities == dict.fromkeys(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"], 0)
        assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")


@pytest.mark.netns
def test_what_is_locked_away_is_not_missed(installation: Installation, tmp_path: Path) -> None:
    """The same is seen, in the same ways, as by one that runs free; but for the owners of sockets."""
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
        Booted(installation, tmp_path) as systemd,
        listening_sockets.tcp("127.0.0.1"),
        listening_sockets.tcp("::1", 8081),
        listening_sockets.unix("\0queue"),
        running(port=8082) as free,
    ):
        started(systemd)
        until(lambda: seen(systemd), lambda found: found == seen(free))
        assert len(seen(free)["accept_limit"]) >= 5


@pytest.mark.netns
def test_no_call_is_tried_that_the_filter_forbids(installation: Installation, tmp_path: Path) -> None:
    """Where the filter kills in place of refusing, it lives all the same."""
    with Booted(installation, tmp_path) as systemd, listening_sockets.unix("\0queue"):
        started(systemd, warning_at(3), DEADLY_FILTER).metrics()
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
    with Booted(installation, tmp_path) as systemd:
        started(systemd, warning_at(1))
        for level in range(2, 7):
            systemd.file(CONFIG, warning_at(level))
            systemd.systemctl("reload", EXPORTER)
            assert figure(systemd, "threshold_connections", **LEVEL) == level


@pytest.mark.netns
def test_reload_waits_for_an_exporter_that_is_slow_to_hear(
    installation: Installation, tmp_path: Path
) -> None:
    """Here it does not even run while the signal comes."""
    with Booted(installation, tmp_path) as systemd:
        (pid,) = started(systemd, warning_at(1)).processes(EXPORTER)
        systemd.file(CONFIG, warning_at(2))
        os.kill(pid, SIGSTOP)
        with subprocess.Popen(systemd.command("systemctl", "reload", EXPORTER)) as reload:
            until(lambda: int(of_status(pid)["ShdPnd"], 16), bool)
            until(lambda: systemd.show(EXPORTER, "ControlPID"), equals("0"))
            assert systemd.show(EXPORTER, "ActiveState") == "reloading"
            assert reload.poll() is None
            os.kill(pid, SIGCONT)
        assert reload.returncode == 0
        assert figure(systemd, "threshold_connections", **LEVEL) == 2


@pytest.mark.netns
def test_a_wrong_configuration_shows_in_the_status_and_the_service_goes_on(
    installation: Installation, tmp_path: Path
) -> None:
    with Booted(installation, tmp_path) as systemd:
        started(systemd, warning_at(3), EAGER_WATCHDOG)
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
def test_a_wrong_configuration_at_the_start_is_told_once(installation: Installation, tmp_path: Path) -> None:
    """To try again would change nothing, and hide the line that says what is wrong."""
    with Booted(installation, tmp_path) as systemd:
        systemd.write(f"{EXPORTER}.d/test.conf", "[Service]\nRestartSec=0\n")
        with pytest.raises(pytest.fail.Exception):
            started(systemd, WRONG)
        assert systemd.show(EXPORTER, "ActiveState") == "failed"
        assert systemd.show(EXPORTER, "ExecMainStatus") == "2"
        assert systemd.show(EXPORTER, "NRestarts") == "0"
        assert systemd.path("/run/log/exporter").read_text().startswith(f"{CONFIG}:1:")


def serves(systemd: Booted) -> bool:
    try:
        return bool(systemd.metrics().samples)
    except (OSError, http.client.HTTPException):
        return False


def until_restarted(systemd: Booted, pid: int) -> None:
    until(lambda: systemd.show(EXPORTER, "NRestarts"), equals("1"))
    until(lambda: systemd.show(EXPORTER, "ActiveState"), equals("active"))
    assert pid not in systemd.processes(EXPORTER)
    assert systemd.metrics().value("listen_queue_exporter_source_success", source="inet") == 1


@pytest.mark.netns
def test_the_watchdog_replaces_an_exporter_that_stands_still(
    installation: Installation, tmp_path: Path
) -> None:
    with Booted(installation, tmp_path) as systemd:
        (pid,) = started(systemd, drop_in=EAGER_WATCHDOG).processes(EXPORTER)
        os.kill(pid, SIGSTOP)
        until_restarted(systemd, pid)


@pytest.mark.netns
def test_the_watchdog_replaces_an_exporter_that_serves_and_does_not_sample(
    installation: Installation, tmp_path: Path
) -> None:
    with Booted(installation, tmp_path) as systemd:
        (pid,) = started(systemd, drop_in=EAGER_WATCHDOG).processes(EXPORTER)
        with sampler_of(pid, systemd.metrics):
            until(lambda: serves(systemd), equals(False))  # noqa: FBT003  (a value)
        until_restarted(systemd, pid)


@pytest.mark.netns
def test_an_exporter_that_was_killed_is_started_again(installation: Installation, tmp_path: Path) -> None:
    with Booted(installation, tmp_path) as systemd:
        (pid,) = started(systemd, drop_in=EAGER_WATCHDOG).processes(EXPORTER)
        os.kill(pid, SIGKILL)
        until_restarted(systemd, pid)


@pytest.mark.netns
def test_stop_ends_it_well_and_leaves_no_process(installation: Installation, tmp_path: Path) -> None:
    with Booted(installation, tmp_path) as systemd:
        started(systemd)
        systemd.systemctl("stop", EXPORTER)
        assert systemd.show(EXPORTER, "Result") == "success"
        assert systemd.show(EXPORTER, "ExecMainStatus") == "0"
        assert systemd.processes(EXPORTER) == []
