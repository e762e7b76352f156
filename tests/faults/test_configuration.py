"""Configuration files of every wrong kind: refused at the start, and without effect at a reload."""

from __future__ import annotations

import itertools
import os
import socket
import stat
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from testbed import figures, process_tree
from testbed.daemon import Daemon, running
from testbed.hanging_files import HangingFiles
from testbed.repeated import repeated
from testbed.waiting import until
from tests.faults.redirected_exporter import EXPORTER, ROOT
from tests.integration.metric_values import figure, until_figure

GOOD = "defaults: {accept: {warning: 3, critical: 9}}\n"
BETTER = "defaults: {accept: {warning: 2, critical: 9}}\n"
SUCCESSFUL = "exporter_config_last_reload_successful"
LEVEL = {"rule": "defaults", "queue": "accept", "severity": "warning"}
END_SECONDS = 20.0
HUGE_BYTES = 500 << 20
# What is promised is a second; other tests may have the processor meanwhile.
PROMISED_SECONDS = 5.0


def rules(count: int) -> str:
    """A valid configuration with so many rules."""
    return "rules:\n" + "".join(
        f"  - {{name: r{number}, match: {{port: {number % 65000 + 1}, process: p{number}}}}}\n"
        for number in range(count)
    )


def written(text: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def nothing(_path: Path) -> None:
    """Leave it away."""


def sparse(path: Path) -> None:
    """Make it huge, with nothing in it."""
    path.touch()
    os.truncate(path, HUGE_BYTES)


def filled_pipe(path: Path) -> None:
    """Make a pipe with the beginning of a configuration in it, whose writer stays."""
    os.mkfifo(path)
    os.write(os.open(path, os.O_RDWR | os.O_CLOEXEC), GOOD[:-6].encode())


KINDS: dict[str, Callable[[Path], object]] = {
    "broken": written("broken: ["),
    "half written": written(GOOD[:-6]),
    "empty": written(""),
    "white space": written(" \n\n"),
    "comments": written("# defaults:\n"),
    "only a start": written("---\n"),
    "filled with NUL": written(bytes(4096)),
    "not UTF-8": written(b"labels: [\xff]\n"),
    "over 1 MiB": written("#" * ((1 << 20) + 1)),
    "sparse, of 500 MB": sparse,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "a terminal": lambda path: path.symlink_to("/dev/ptmx"),
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
    "a pipe with half a configuration": filled_pipe,
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "a loop of links": lambda path: path.symlink_to(path),
    "gone": nothing,
    "a file for a directory": lambda path: path.symlink_to("/etc/passwd/c.yaml"),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


@EVERY_KIND
@pytest.mark.fault("a wrong configuration file at the start", "one line for each error, status 2")
def test_at_the_start(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    KINDS[kind](file)
    for command in (("check-config", str(file)), ("--config.file", str(file))):
        done = subprocess.run(
            [*EXPORTER, *command], cwd=ROOT, capture_output=True, check=False, text=True, timeout=60
        )
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert line.startswith(f"{file}:")


@pytest.mark.netns
@pytest.mark.fault("a wrong configuration file at a reload", "the old one stays in force, and it is reported")
def test_at_a_reload() -> None:
    with running("--web.enable-lifecycle", config=GOOD) as daemon:
        for kind, make in KINDS.items():
            remove(daemon.config_file)
            make(daemon.config_file)
            answer = daemon.request("/-/reload", "POST")
            assert answer.status == 500, kind
            assert answer.text.startswith(f"{daemon.config_file}:"), kind
            assert len(answer.text.splitlines()) == 1, kind
            assert figure(daemon, SUCCESSFUL) == 0, kind
            assert figure(daemon, "threshold_connections", **LEVEL) == 3, kind
        remove(daemon.config_file)
        daemon.config_file.write_text(BETTER)
        assert daemon.request("/-/reload", "POST").status == 200
        until_figure(daemon, 2, "threshold_connections", **LEVEL)
        until_figure(daemon, 1, SUCCESSFUL)


def remove(file: Path) -> None:
    if file.is_dir():
        file.rmdir()
    else:
        file.unlink(missing_ok=True)


@pytest.mark.fault("a configuration with 20,000 errors", "50 of them and a count")
def test_errors_without_end(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("".join(f"k{number}: 1\n" for number in range(20_000)))
    done = subprocess.run(
        [*EXPORTER, "check-config", str(file)], cwd=ROOT, capture_output=True, check=False, text=True
    )
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines)) == (2, 51)
    assert lines[0].startswith(f"{file}:1:1: k0: ")
    assert lines[49].startswith(f"{file}:50:1: k49: ")
    assert lines[50] == f"{file}: and 19950 more errors"


@pytest.mark.netns
@pytest.mark.fault("5,000 rules, and 500 listeners", "pages as ever, and SIGTERM within two seconds")
def test_thousands_of_rules() -> None:
    with running(config="{}\n") as daemon:
        listeners = [socket.create_server(("127.0.0.1", 2000 + number)) for number in range(500)]
        until(lambda: figure(daemon, "exporter_listeners") or 0, lambda count: count >= 500)
        daemon.config_file.write_text(rules(5000))
        daemon.signal(SIGHUP)
        slowest = 0.0
        while "configuration reloaded" not in daemon.log:
            begun = time.monotonic()
            assert daemon.request("/-/healthy").status == 200
            daemon.scrape()
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.05)
        figures.note(f"a page in {slowest:.2f} s at most")
        daemon.signal(SIGHUP)
        time.sleep(0.3)
        begun = time.monotonic()
        daemon.signal(SIGTERM)
        assert daemon.wait(END_SECONDS) == 0
        figures.note(f"ended in {time.monotonic() - begun:.2f} s")
        for listener in listeners:
            listener.close()


@pytest.mark.netns
@pytest.mark.fault("500 reloads", "no descriptor, thread or memory more than before")
def test_many_reloads_leak_nothing() -> None:
    with running("--web.enable-lifecycle", config=GOOD) as daemon:
        texts = (BETTER, rules(20), "broken: [", GOOD)

        def reload(times: int) -> None:
            for number in range(times):
                daemon.config_file.write_text(texts[number % len(texts)])
                daemon.request("/-/reload", "POST")

        reload(100)
        before = usage(daemon)
        reload(400)
        after = usage(daemon)
        figures.note(f"{after['kB'] - before['kB']:+d} kB")
        assert after["descriptors"] <= before["descriptors"] + 1
        assert after["threads"] <= before["threads"] + 1
        assert after["kB"] - before["kB"] < 4096
        assert figure(daemon, "threshold_connections", **LEVEL) == 3


def usage(daemon: Daemon) -> dict[str, int]:
    """Descriptors, threads and memory of the daemon."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines())
    return {
        "descriptors": len(list(Path(f"/proc/{daemon.pid}/fd").iterdir())),
        "threads": int(status["Threads"]),
        "kB": int(status["VmRSS"].split()[0]),
    }


@pytest.mark.netns
@pytest.mark.fault("a configuration of 500 MB at 20 reloads", "refused each time, and memory stays as it is")
def test_a_huge_file_is_not_read() -> None:
    with running("--web.enable-lifecycle", config=GOOD) as daemon:
        assert daemon.request("/-/reload", "POST").status == 200
        before = peak_kilobytes(daemon)
        daemon.config_file.unlink()
        sparse(daemon.config_file)
        for _ in range(20):
            assert daemon.request("/-/reload", "POST").status == 500
        grown = peak_kilobytes(daemon) - before
        figures.note(f"{grown:+d} kB at the peak")
        # It may read a MiB and one byte.
        assert grown < 16 * 1024
        assert figure(daemon, "threshold_connections", **LEVEL) == 3


def peak_kilobytes(daemon: Daemon) -> int:
    """The most memory that the processes of the daemon have had."""
    total = 0
    for pid in process_tree.descendants(daemon.pid):
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(status.partition("VmHWM:")[2].split()[0])
    return total


@contextmanager
def changing(file: Path) -> Iterator[None]:
    """Write the file in pieces, remove it and put a pipe in its place, again and again until the end."""
    texts = itertools.cycle((GOOD, BETTER))

    def change() -> None:
        text = next(texts)
        with file.open("w") as opened:
            for place in range(0, len(text), 8):
                opened.write(text[place : place + 8])
                opened.flush()
                time.sleep(0.001)
        time.sleep(0.005)
        file.unlink()
        os.mkfifo(file)
        time.sleep(0.002)
        file.unlink()

    with repeated(change):
        yield


@pytest.mark.netns
@pytest.mark.fault(
    "a configuration that is half written, vanishes or is a pipe, at 200 reloads",
    "one or the other whole configuration is in force, pages in a second; the last one once it is whole",
)
def test_a_file_that_changes_all_the_time() -> None:
    with running("--web.enable-lifecycle", config=GOOD) as daemon:
        seen: Counter[int] = Counter()
        slowest = 0.0
        with changing(daemon.config_file):
            while seen.total() < 200 or len(seen) < 2:
                answer = daemon.request("/-/reload", "POST")
                seen[answer.status] += 1
                assert answer.status in {200, 500}, answer.text
                assert "Traceback" not in answer.text
                begun = time.monotonic()
                assert figure(daemon, "threshold_connections", **LEVEL) in {2, 3}
                slowest = max(slowest, time.monotonic() - begun)
                assert slowest < PROMISED_SECONDS
        daemon.config_file.write_text(BETTER)
        assert daemon.request("/-/reload", "POST").status == 200
        until_figure(daemon, 2, "threshold_connections", **LEVEL)
        until_figure(daemon, 1, SUCCESSFUL)
        figures.note(f"{seen[200]} taken and {seen[500]} refused, a page in {slowest:.2f} s at most")


@pytest.mark.netns
@pytest.mark.fault("a configuration on a file system that hangs", "the reload fails, all else goes on")
def test_a_file_system_that_hangs(tmp_path: Path) -> None:
    link = tmp_path / "c.yaml"
    link.write_text(GOOD)
    with Daemon("--web.enable-lifecycle", f"--config.file={link}").wait_ready() as daemon:
        with HangingFiles(tmp_path / "hanging"):
            link.unlink()
            link.symlink_to(tmp_path / "hanging" / "c.yaml")
            daemon.signal(SIGHUP)
            # By the reader, or before that by the file broker, which reads it once the user has changed.
            daemon.wait_for_log("does not answer")
            assert figure(daemon, SUCCESSFUL) == 0
            assert figure(daemon, "threshold_connections", **LEVEL) == 3
            for _ in range(3):
                assert daemon.request("/-/healthy").status == 200
        link.unlink()
        link.write_text(BETTER)
        until(lambda: daemon.request("/-/reload", "POST").status, lambda status: status == 200)
        until_figure(daemon, 2, "threshold_connections", **LEVEL)
        begun = time.monotonic()
        assert daemon.stop(SIGTERM) == 0
        figures.note(f"ended in {time.monotonic() - begun:.2f} s")


@pytest.mark.netns
@pytest.mark.fault("a configuration that hangs at the start", "one line after ten seconds, and status 1")
def test_a_file_system_that_hangs_at_the_start(tmp_path: Path) -> None:
    with HangingFiles(tmp_path / "hanging"):
        for command in (("check-config",), ("--config.file",)):
            whole = [*EXPORTER, *command, str(tmp_path / "hanging" / "c.yaml")]
            done = subprocess.run(whole, cwd=ROOT, capture_output=True, check=False, text=True, timeout=60)
            assert done.returncode == 1
            [line] = done.stderr.splitlines()
            assert line.endswith("c.yaml: not read within 10 s: its file system does not answer")
