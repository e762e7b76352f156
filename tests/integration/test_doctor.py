"""The command `doctor` as a whole: its statuses, what it could not see, and who may read its output."""

from __future__ import annotations

import errno
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import privileges, seccomp, syscalls
from testbed.namespace import write_sysctl
from testbed.netns import Namespaces
from testbed.waiting import until
from tests.doctor import services
from tests.doctor.diagnosis import diagnosis
from tests.doctor.diagnosis import found as found_by_name
from tests.integration import command, listening_sockets
from tests.integration.other_namespaces import only

_ROOT = Path(__file__).resolve().parents[2]
_WATCH = "--for=200ms"


@pytest.mark.netns
def test_a_healthy_host_is_one_line_and_status_0(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("namespaces: {include: [none]}\n")
    with listening_sockets.tcp("127.0.0.1"):
        done = command.run("doctor", _WATCH, namespaces=True)
    assert (done.status, done.errors) == (0, "")
    assert done.output.startswith("Nothing wrong: 1 TCP and 0 unix listeners, ")
    assert done.output.count("\n") == 1


@pytest.mark.netns
def test_findings_do_not_change_the_status() -> None:
    write_sysctl("net.ipv4.tcp_syncookies", 0)
    with listening_sockets.tcp("127.0.0.1"):
        done = command.run("doctor", _WATCH)
    assert (done.status, done.errors) == (0, "")
    assert "WARNING SYN cookies are off" in done.output


@pytest.mark.netns
def test_the_worst_finding_comes_first() -> None:
    write_sysctl("net.ipv4.tcp_syncookies", 0)
    with (
        listening_sockets.unix("\0app", backlog=0) as listener,
        listening_sockets.tcp("0.0.0.0", backlog=5),
        ExitStack() as stack,
    ):
        stack.enter_context(listening_sockets.clients(listener, 1)[0])
        found = until(lambda: diagnosis()["findings"], lambda each: len(each) >= 3)
    severities = [each["severity"] for each in found]
    assert severities == sorted(severities, key=["critical", "warning", "note"].index)
    assert found[0]["name"] == "unix-queue-full"


@pytest.mark.netns
def test_without_capabilities_other_namespaces_are_not_seen_and_it_says_what_it_takes() -> None:
    with listening_sockets.tcp("127.0.0.1"):
        done = command.run("doctor", _WATCH)
    assert done.output.startswith("Nothing wrong in what could be read: ")
    assert (
        "Not seen:\n"
        "  - other network namespaces (containers): run it as root, or with CAP_SYS_ADMIN\n"
        "    and CAP_SYS_PTRACE\n"
    ) in done.output


@pytest.mark.netns
def test_namespaces_that_the_configuration_leaves_out_are_not_seen(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(only("web"))
    with Namespaces() as namespaces:
        for name in ("web", "db"):
            namespaces.named(name).listen_tcp(80)
        report = diagnosis(f"--config.file={config}", namespaces=True)
    assert report["seen"] == {"tcp_listeners": 1, "unix_listeners": 0, "network_namespaces": 2}
    assert len(report["not_seen"]) == 1
    assert "other network namespace" in report["not_seen"][0]["what"]
    assert "namespaces.include" in report["not_seen"][0]["needs"]


@pytest.mark.netns
def test_a_stuck_service_in_another_namespace_is_found_there(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(only("web"))
    with Namespaces() as namespaces:
        web = namespaces.named("web")
        web.listen_tcp(80, backlog=31)
        web.fill_tcp(80, 32)
        (finding,) = until(
            lambda: diagnosis(f"--config.file={config}", seconds=3.0, namespaces=True)["findings"], bool
        )
    assert (finding["name"], finding["certainty"]) == ("not-accepting", "certain")
    assert (finding["namespaces"], finding["listener"]["netns"]) == (["web"], "web")


@pytest.mark.netns
@pytest.mark.parametrize("namespaces", [False, True])
def test_stopped_workers_are_all_named_by_a_command_that_gives_its_rights_away(
    tmp_path: Path,
    namespaces: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    """It does so where it sees other namespaces: then another process of it looks into processes."""
    config = tmp_path / "config.yml"
    config.write_text("namespaces: {include: [none]}\n")
    with services.workers(8080, 2) as workers, ExitStack() as stack:
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
            client.connect_ex(("127.0.0.1", 8080))
        finding = until(
            lambda: found_by_name(f"--config.file={config}", seconds=3.0, namespaces=namespaces),
            lambda each: "not-accepting" in each,
        )["not-accepting"]
        assert finding["change"] == f"continue them: kill -CONT {' '.join(map(str, sorted(workers)))}"


@pytest.mark.netns
def test_where_nothing_can_be_read_it_fails_and_calls_nothing_right() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "doctor", _WATCH],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=_see_no_sockets,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("listen-queue-exporter: cannot read the listeners: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.netns
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_has_colour_unless_no_color_is_set(no_color: str, coloured: bool) -> None:  # noqa: FBT001
    write_sysctl("net.ipv4.tcp_syncookies", 0)
    with listening_sockets.tcp("127.0.0.1"):
        printed = _on_a_terminal({"NO_COLOR": no_color})
    assert "WARNING" in printed
    assert ("\x1b[1;33mWARNING\x1b[0m" in printed) is coloured
    assert ("\x1b" in printed) is coloured


@pytest.mark.netns
@pytest.mark.parametrize(("encoding", "name"), [("utf-8", "caf\u00e9"), ("ascii", r"caf\xc3\xa9")])
def test_a_pipe_gets_the_characters_that_its_encoding_has(
    encoding: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    with ExitStack() as stack:
        listener = stack.enter_context(listening_sockets.unix(str(tmp_path / "caf\u00e9.sock"), backlog=0))
        stack.enter_context(listening_sockets.clients(listener, 1)[0])
        done = command.run("doctor", _WATCH)
        report = json.loads(command.run("doctor", "--json", _WATCH).output)
    assert f"{name}.sock" in done.output.replace("\n    ", "").replace("\n  ", "")
    assert report["findings"][0]["listener"]["address"].endswith("caf\u00e9.sock")


def _see_no_sockets() -> None:
    privileges.deny_other_namespaces()
    seccomp.deny_socket_family(socket.AF_NETLINK, errno.ENOBUFS)


def _on_a_terminal(environment: dict[str, str]) -> str:
    """What the command prints where its output is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", "doctor", _WATCH],
        cwd=_ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509  (tests have one thread)
    )
    os.close(theirs)
    printed = b""
    while select.select([ours], [], [], 40.0)[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:
            # The last one that had the terminal open has ended.
            break
        if not part:
            break
        printed += part
    os.close(ours)
    assert process.wait(40) == 0
    return printed.decode()
