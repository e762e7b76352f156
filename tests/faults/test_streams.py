"""Standard streams that are closed, full or in another encoding, for each command and the daemon."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from testbed.process_tree import descendants
from testbed.waiting import until
from tests.faults.redirected_exporter import EXPORTER, ROOT, RedirectedExporter

COMMANDS = pytest.mark.parametrize(
    "arguments",
    ["--version", "--help", "check-config config.example.yaml", "show", "show --json", "show --prometheus"],
)
WRONG = pytest.mark.parametrize(
    ("arguments", "status"),
    [("--nothing", 2), ("check-config /nowhere", 2), ("show --config.file=/nowhere", 2), ("show nothing", 2)],
)
RELOADED = "listen_queue_exporter_config_last_reload_successful"
NAME = "\0€-café-🚀"


def run(arguments: str, redirections: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["sh", "-c", f"exec {' '.join(EXPORTER)} {arguments} {redirections}"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.netns
@COMMANDS
@pytest.mark.parametrize("redirections", [">/dev/full", ">&-", "<&- >&-"])
@pytest.mark.fault("standard output full or closed", "one line, and status 1")
def test_an_output_that_cannot_be_written(arguments: str, redirections: str) -> None:
    done = run(arguments, redirections)
    assert done.returncode == 1
    errors = done.stderr.decode().splitlines()
    assert errors[-1].startswith("listen-queue-exporter: cannot write to the standard output: ")
    assert not [line for line in errors if "Traceback" in line or "Exception ignored" in line]


@pytest.mark.netns
@WRONG
@pytest.mark.parametrize("redirections", ["2>/dev/full", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.fault("standard error full or closed", "the status is that of the error")
def test_an_error_that_cannot_be_written(arguments: str, status: int, redirections: str) -> None:
    done = run(arguments, redirections)
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


@pytest.mark.netns
@pytest.mark.parametrize("arguments", ["show", "show --json", "show --prometheus"])
@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
@pytest.mark.fault("an output in ASCII or ISO-8859-1", "what it lacks is written as an escape")
def test_characters_that_the_output_lacks(arguments: str, encoding: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(NAME.encode())
        listener.listen()
        done = run(arguments, "", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"caf" in done.stdout


@pytest.mark.netns
def test_a_path_that_is_no_utf_8_is_shown(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/\xff.yaml"
    Path(os.fsdecode(file)).write_text("{}")
    done = subprocess.run([*EXPORTER, "check-config", file], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\udcff.yaml: valid" in done.stdout


@pytest.mark.netns
@pytest.mark.fault("a standard error that nobody reads", "the command ends with its status")
def test_a_wrong_command_ends_where_nobody_reads_its_error() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    done = subprocess.run([*EXPORTER, "--nothing"], cwd=ROOT, stderr=writing, check=False, timeout=60)
    assert done.returncode == 2
    os.close(reading)


@pytest.mark.netns
@pytest.mark.parametrize("redirections", ["2>&-", ">&-", "<&- >&- 2>&-", "2>/dev/full"])
@pytest.mark.fault("the daemon without standard streams", "the brokers have none of its sockets as one")
def test_the_daemon_without_streams(tmp_path: Path, redirections: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    with RedirectedExporter(tmp_path, redirections, f"--config.file={file}", namespaces=True) as exporter:
        exporter.wait_ready()
        file.write_text("broken: [")
        exporter.signal(SIGHUP)
        until(lambda: exporter.metrics().value(RELOADED), lambda value: value == 0)
        for pid in descendants(exporter.pid):
            links = [str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in range(3)]
            assert not [link for link in links if link.startswith(("socket:", "anon_inode:"))], links
        assert exporter.stop(SIGTERM) == 0
