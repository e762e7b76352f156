"""`show --prometheus` prints one page, which node_exporter takes in beside its own."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import pytest

from testbed import programs, syscalls
from testbed.page import Page, metrics
from testbed.waiting import until
from tests.integration import command, listening_sockets

_PORT = 9100
_HELD = """\
rules:
  - name: held
    match: {port: 8080}
    accept: {critical: 3}
    hold: 1h
"""


def _served() -> Page:
    url = f"http://127.0.0.1:{_PORT}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return metrics(answer.read().decode())
    except OSError:
        return Page({}, {})


@pytest.mark.netns
def test_node_exporter_serves_the_page_as_its_own(tmp_path: Path) -> None:
    with listening_sockets.tcp("127.0.0.1", backlog=4) as listener:
        clients = listening_sockets.clients(listener, 5)
        ended = command.run("show", "--prometheus")
        assert ended.status == 0, ended.errors
        (tmp_path / "listen_queue.prom").write_text(ended.output)
        node_exporter = subprocess.Popen(
            [
                programs.find("prometheus-node-exporter"),
                "--collector.disable-defaults",
                "--collector.textfile",
                f"--collector.textfile.directory={tmp_path}",
                f"--web.listen-address=127.0.0.1:{_PORT}",
            ],
            stderr=subprocess.DEVNULL,
            preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # a test has one thread
        )
        try:
            page = until(_served, lambda found: bool(found.samples))
        finally:
            node_exporter.kill()
            node_exporter.wait()
        assert page.value("node_textfile_scrape_error") == 0
        assert page.value("listen_queue_accept_length", port="8080") == 5
        assert page.value("listen_queue_accept_utilization_ratio", port="8080") == 1
        assert page.value("listen_queue_exporter_source_success", source="inet") == 1
        assert len(clients) == 5


@pytest.mark.netns
def test_the_page_is_as_prometheus_would_have_it() -> None:
    with listening_sockets.tcp("127.0.0.1"), listening_sockets.unix(b"\0named"):
        ended = command.run("show", "--prometheus")
    checked = subprocess.run(
        [programs.find("promtool"), "check", "metrics"],
        input=ended.output.encode(),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


@pytest.mark.netns
def test_nobody_waits_for_hold(tmp_path: Path) -> None:
    """A threshold that must last an hour counts in the one look there is; else it never would."""
    config = tmp_path / "config.yaml"
    config.write_text(_HELD)
    with listening_sockets.tcp("127.0.0.1") as listener:
        clients = listening_sockets.clients(listener, 3)
        ended = command.run("show", "--prometheus", f"--config.file={config}")
        exceeded = metrics(ended.output).all("listen_queue_threshold_exceeded", queue="accept", port="8080")
        assert {dict(labels)["severity"]: value for labels, value in exceeded.items()} == {
            "warning": 0.0,
            "critical": 1.0,
        }
        assert len(clients) == 3


@pytest.mark.netns
def test_names_are_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    with listening_sockets.unix("\0caf\N{LATIN SMALL LETTER E WITH ACUTE}".encode()):
        ended = command.run("show", "--prometheus")
    assert (ended.status, ended.errors) == (0, "")
    assert 'address="@caf\N{LATIN SMALL LETTER E WITH ACUTE}"' in ended.output
