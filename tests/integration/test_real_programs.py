"""Programs that become others, name themselves, or are replaced: real processes, as the kernel shows them.

Each is named alike by an exporter that saw it start and by one that starts later.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from testbed import programs
from testbed.daemon import running
from testbed.program import Program
from testbed.waiting import equals, until
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER, until_figure
from tests.integration.named_listeners import named, until_named, write_script

SECRET = "s3cret"  # noqa: S105  (it is none)
QUEUE = "127.0.0.1:8080"
LISTENS = """\
import socket, time
opened = socket.create_server(("127.0.0.1", 8080))
"""
SLEEPS = "time.sleep(1000)\n"
# A program that is no interpreter, and listens: Perl, by another name.
PERL_LISTENS = (
    "use Socket; socket S, PF_INET, SOCK_STREAM, 0; bind S, sockaddr_in 8080, INADDR_LOOPBACK; "
    "listen S, 9; sleep 1000"
)


@pytest.mark.netns
def test_a_shell_script_that_becomes_its_program_has_the_name_of_that(tmp_path: Path) -> None:
    """Also where the socket was open before, as behind a service manager."""
    server = write_script(tmp_path / "server.py", sys.executable, f"import time\n{SLEEPS}")
    script = write_script(
        tmp_path / "start", "/bin/sh", f'read line <"{tmp_path}/go"\nexec {server} --token {SECRET}\n'
    )
    os.mkfifo(tmp_path / "go")
    opened = listening_sockets.tcp("127.0.0.1")
    with running(config=EAGER) as before, inheriting(opened, script, tmp_path):
        until_named(before, {(QUEUE, "start"): 1})
        (tmp_path / "go").write_text("\n")
        until_named(before, {(QUEUE, "server.py"): 1})
        assert SECRET not in before.scrape()


@pytest.mark.netns
def test_a_shell_that_waits_for_its_program_is_not_its_owner(tmp_path: Path) -> None:
    server = write_script(tmp_path / "server.py", sys.executable, f"import time\n{SLEEPS}")
    script = write_script(tmp_path / "start.sh", "/bin/sh", f'read line <"{tmp_path}/go"\n{server}\n:\n')
    os.mkfifo(tmp_path / "go")
    opened = listening_sockets.tcp("127.0.0.1")
    with running(config=EAGER) as before, inheriting(opened, script, tmp_path):
        until_named(before, {(QUEUE, "start.sh"): 1})
        (tmp_path / "go").write_text("\n")
        until_named(before, {(QUEUE, "server.py"): 1})


@pytest.mark.netns
def test_a_program_that_names_itself_after_it_listens_has_that_name(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        f"{LISTENS}open('{tmp_path}/go').read()\nopen('/proc/self/comm', 'w').write('shopd')\n{SLEEPS}"
    )
    os.mkfifo(tmp_path / "go")
    with running(config=EAGER) as before, Program([sys.executable, str(script)], tmp_path / "log"):
        until_named(before, {(QUEUE, "app.py"): 1})
        (tmp_path / "go").write_text("\n")
        until_named(before, {(QUEUE, "shopd"): 1})


@pytest.mark.netns
def test_other_arguments_are_noticed_within_minutes(tmp_path: Path) -> None:
    """The command name stays: of a script that runs another one in its place, and under a title of Ruby."""
    second = tmp_path / "second.py"
    second.write_text(f"import time\n{SLEEPS}")
    first = tmp_path / "first.py"
    first.write_text(
        f"{LISTENS}opened.set_inheritable(True)\nopen('{tmp_path}/go').read()\n"
        f"import os, sys\nos.execv(sys.executable, [sys.executable, '{second}'])\n"
    )
    ruby = tmp_path / "app.rb"
    ruby.write_text(
        "require 'socket'\nopened = TCPServer.new('127.0.0.1', 8081)\n"
        f"File.read('{tmp_path}/go2')\n$0 = 'puma 6.4.0 (tcp://127.0.0.1:8081) [shop]'\nsleep\n"
    )
    for name in ("go", "go2"):
        os.mkfifo(tmp_path / name)
    with (
        running(config=EAGER) as before,
        Program([sys.executable, str(first)], tmp_path / "first"),
        Program([programs.find("ruby"), str(ruby)], tmp_path / "ruby"),
    ):
        until_named(before, {(QUEUE, "first.py"): 1, ("127.0.0.1:8081", "app.rb"): 1})
        (tmp_path / "go").write_text("\n")
        (tmp_path / "go2").write_text("\n")
        wanted = {(QUEUE, "second.py"): 1, ("127.0.0.1:8081", "puma"): 1}
        with running(config=EAGER, port=10512) as after:
            until(lambda: named(after), equals(wanted))
        until(lambda: named(before), equals(wanted), deadline_seconds=100)


@pytest.mark.netns
def test_a_name_that_is_given_by_exec_is_not_used(tmp_path: Path) -> None:
    """As by `exec -a`: the kernel names a program by its file, and an interpreter runs the same script."""
    (tmp_path / "app.pl").write_text(PERL_LISTENS)
    perl = programs.find("perl")
    copy = tmp_path / "perl-that-listens-for-a-test"
    shutil.copy(perl, copy)
    for run, shown in ((f"{perl} {tmp_path}/app.pl", "app.pl"), (f"{copy} {tmp_path}/app.pl", copy.name)):
        command = ["/bin/bash", "-c", f"exec -a '/usr/sbin/webserver {SECRET}' {run} {SECRET}"]
        with running(config=EAGER) as before, Program(command, tmp_path / "log"):
            until_named(before, {(QUEUE, shown): 1})
            assert SECRET not in before.scrape()


@pytest.mark.netns
def test_a_program_that_was_updated_while_it_runs_keeps_its_name(tmp_path: Path) -> None:
    """The kernel appends a mark to the path of its file."""
    copy = tmp_path / "perl-that-listens-for-a-test"
    shutil.copy(programs.find("perl"), copy)
    with (
        running(config=EAGER) as before,
        Program([str(copy), "-e", PERL_LISTENS], tmp_path / "log") as program,
    ):
        until_named(before, {(QUEUE, copy.name): 1})
        copy.unlink()
        assert str(Path(f"/proc/{program.pid}/exe").readlink()).endswith(" (deleted)")
        until_named(before, {(QUEUE, copy.name): 1})


@pytest.mark.netns
def test_a_child_whose_parent_ends_has_its_socket(tmp_path: Path) -> None:
    """Another program, that did not know of the socket which it inherited."""
    worker = write_script(tmp_path / "worker.py", sys.executable, f"import time\n{SLEEPS}")
    parent = tmp_path / "parent.py"
    parent.write_text(
        f"{LISTENS}import subprocess\n"
        f"subprocess.Popen(['{worker}'], pass_fds=[opened.fileno()])\nopen('{tmp_path}/go').read()\n"
    )
    os.mkfifo(tmp_path / "go")
    with running(config=EAGER) as before, Program([sys.executable, str(parent)], tmp_path / "log") as program:
        until_named(before, {(QUEUE, "parent.py"): 1})
        (tmp_path / "go").write_text("\n")
        program.wait()
        until_named(before, {(QUEUE, "worker.py"): 1})


@pytest.mark.netns
def test_of_two_programs_that_share_a_port_the_one_that_hangs_is_named(tmp_path: Path) -> None:
    listens = (
        "import socket, time\n"
        "opened = socket.create_server(('127.0.0.1', 8080), backlog=3, reuse_port=True)\n"
    )
    serves = tmp_path / "serves.py"
    serves.write_text(f"{listens}while True: opened.accept()[0].close()\n")
    hangs = tmp_path / "hangs.py"
    hangs.write_text(f"{listens}{SLEEPS}")
    with (
        running(config=EAGER) as before,
        Program([sys.executable, str(serves)], tmp_path / "serves"),
        Program([sys.executable, str(hangs)], tmp_path / "hangs"),
        ExitStack() as stack,
    ):
        until_named(before, {(QUEUE, "serves.py"): 1, (QUEUE, "hangs.py"): 1})
        for _ in range(40):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
            client.connect_ex(("127.0.0.1", 8080))
        until_figure(before, 1, "accept_utilization_ratio", port="8080", process="hangs.py")
        until_figure(before, 0, "accept_utilization_ratio", port="8080", process="serves.py")


@contextmanager
def inheriting(opened: socket.socket, script: str, folder: Path) -> Iterator[None]:
    """Start a program that alone has a socket."""
    with Program([script], folder / "log", pass_fds=(opened.fileno(),)):
        opened.close()
        yield
