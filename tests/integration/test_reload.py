"""Reading the configuration again: a good one takes effect, a wrong one changes nothing and is reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGHUP

import pytest

from testbed.daemon import Daemon, running
from testbed.waiting import until
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure, until_sampled

GOOD = "sampling: {interval: 10ms, cpu_budget: 100%}\ndefaults: {accept: {warning: 3, critical: 9}}\n"
BETTER = "sampling: {interval: 20ms, cpu_budget: 100%}\ndefaults: {accept: {warning: 2, critical: 9}}\n"
WRONG = "sampling: {interval: -1s}\nnonsense: true\n"

SUCCESSFUL = "exporter_config_last_reload_successful"
TIMESTAMP = "exporter_config_last_reload_success_timestamp_seconds"
LEVEL = {"rule": "defaults", "queue": "accept", "severity": "warning"}
EXCEEDED = {"port": "8080", "queue": "accept", "severity": "warning"}


def by_signal(daemon: Daemon) -> None:
    daemon.signal(SIGHUP)


def by_request(daemon: Daemon) -> None:
    daemon.request("/-/reload", "POST")


EITHER_WAY = pytest.mark.parametrize("reload", [by_signal, by_request])


@pytest.mark.netns
@EITHER_WAY
def test_a_good_file_takes_effect_and_history_goes_on(reload: Callable[[Daemon], None]) -> None:
    """Here two waiting connections are beyond the new level, and the time of fullness stays."""
    with (
        listening_sockets.tcp("127.0.0.1", backlog=1) as listener,
        running("--web.enable-lifecycle", config=GOOD) as daemon,
    ):
        clients = listening_sockets.clients(listener, 2)
        until_figure(daemon, 2, "accept_length", port="8080")
        until(lambda: figure(daemon, "accept_full_seconds_total", port="8080") or 0, lambda full: full > 0.3)
        assert figure(daemon, "threshold_exceeded", **EXCEEDED) == 0
        assert figure(daemon, "threshold_connections", **LEVEL) == 3
        before = time.time()
        daemon.config_file.write_text(BETTER)
        reload(daemon)
        until_figure(daemon, 2, "threshold_connections", **LEVEL)
        until_figure(daemon, 1, "threshold_exceeded", **EXCEEDED)
        until_figure(daemon, 0.02, "exporter_sample_interval_seconds", source="inet")
        until_figure(daemon, 1, SUCCESSFUL)
        assert before <= (figure(daemon, TIMESTAMP) or 0) <= time.time()
        assert (figure(daemon, "accept_full_seconds_total", port="8080") or 0) > 0.3
        for client in clients:
            client.close()


@pytest.mark.netns
@EITHER_WAY
def test_a_wrong_file_leaves_the_old_one_in_force_until_it_is_right(reload: Callable[[Daemon], None]) -> None:
    with listening_sockets.tcp("127.0.0.1"), running("--web.enable-lifecycle", config=GOOD) as daemon:
        loaded = figure(daemon, TIMESTAMP)
        daemon.config_file.write_text(WRONG)
        reload(daemon)
        until_figure(daemon, 0, SUCCESSFUL)
        until_sampled(daemon, "inet")
        assert figure(daemon, TIMESTAMP) == loaded
        assert figure(daemon, "threshold_connections", **LEVEL) == 3
        until_figure(daemon, 0.01, "exporter_sample_interval_seconds", source="inet")
        assert figure(daemon, "accept_length", port="8080") == 0
        daemon.wait_for_log(f"{daemon.config_file}:1:").wait_for_log(f"{daemon.config_file}:2:")
        daemon.config_file.write_text(BETTER)
        reload(daemon)
        until_figure(daemon, 1, SUCCESSFUL)
        until_figure(daemon, 2, "threshold_connections", **LEVEL)


@pytest.mark.netns
def test_a_file_that_is_gone_leaves_the_old_one_in_force() -> None:
    with running(config=GOOD) as daemon:
        daemon.config_file.unlink()
        by_signal(daemon)
        until_figure(daemon, 0, SUCCESSFUL)
        assert figure(daemon, "threshold_connections", **LEVEL) == 3


def put_link(folder: Path, name: str, text: str) -> None:
    """Have config.yaml of the folder lead to another file, as the kubelet does it for a ConfigMap."""
    content = folder / name
    content.mkdir()
    (content / "config.yaml").write_text(text)
    (folder / "new").symlink_to(name)
    (folder / "new").rename(folder / "..data")


@pytest.mark.netns
def test_a_changed_config_map_is_read_by_itself_and_a_wrong_one_told_once(tmp_path: Path) -> None:
    folder = tmp_path / "mount"
    folder.mkdir(mode=0o755)
    put_link(folder, "..1", GOOD)
    (folder / "config.yaml").symlink_to("..data/config.yaml")
    flags = f"--config.file={folder}/config.yaml", "--config.auto-reload-interval=50ms"
    with running(*flags) as daemon:
        until_figure(daemon, 3, "threshold_connections", **LEVEL)
        loaded = figure(daemon, TIMESTAMP)
        put_link(folder, "..2", WRONG)
        until_figure(daemon, 0, SUCCESSFUL)
        put_link(folder, "..3", BETTER)
        until_figure(daemon, 2, "threshold_connections", **LEVEL)
        until_figure(daemon, 1, SUCCESSFUL)
        assert (figure(daemon, TIMESTAMP) or 0) > (loaded or 0)
        # Of the wrong one each of its two errors.
        assert daemon.log.count("configuration not reloaded") == 2
        assert daemon.log.count("configuration reloaded") == 1


@pytest.mark.netns
def test_the_request_answers_with_what_happened() -> None:
    with running("--web.enable-lifecycle", config=GOOD) as daemon:
        assert daemon.request("/-/reload", "POST").status == 200
        daemon.config_file.write_text(WRONG)
        answer = daemon.request("/-/reload", "POST")
        assert answer.status == 500
        lines = answer.text.splitlines()
        assert len(lines) == 2
        assert all(line.startswith(f"{daemon.config_file}:") for line in lines)
        assert daemon.request("/-/reload").status == 405


@pytest.mark.netns
def test_the_request_is_forbidden_unless_it_was_allowed() -> None:
    with running(config=GOOD) as daemon:
        loaded = figure(daemon, TIMESTAMP)
        daemon.config_file.write_text(BETTER)
        assert daemon.request("/-/reload", "POST").status == 403
        until_sampled(daemon, "inet")
        assert figure(daemon, TIMESTAMP) == loaded
        assert figure(daemon, "threshold_connections", **LEVEL) == 3


@pytest.mark.netns
def test_without_a_file_a_signal_to_reload_is_no_failure() -> None:
    with running() as daemon:
        by_signal(daemon)
        daemon.wait_for_log("nothing to reload")
        assert figure(daemon, SUCCESSFUL) == 1


@pytest.mark.netns
def test_a_file_without_a_key_changes_nothing() -> None:
    """It may have been emptied by mistake, or is about to be written."""
    with running(config=GOOD) as daemon:
        until_figure(daemon, 3, "threshold_connections", **LEVEL)
        daemon.config_file.write_text("# nothing yet\n")
        daemon.signal(SIGHUP)
        daemon.wait_for_log("nothing is set in this file")
        until_figure(daemon, 0, SUCCESSFUL)
        until_figure(daemon, 3, "threshold_connections", **LEVEL)
