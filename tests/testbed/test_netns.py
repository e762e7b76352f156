"""Network namespaces beside that of the test: what they contain, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import programs
from testbed.netns import Container, Namespaces
from testbed.waiting import until

NAMED = Path("/run/netns")


def inside(container: Container, *command: str) -> list[str]:
    """What a program prints in the namespace of a container."""
    return programs.output("nsenter", f"--net=/proc/{container.pid}/ns/net", *command).splitlines()


def ended(pid: int) -> bool:
    """Whether a process has ended, be it reaped or not."""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or ") Z" in stat.read_text()


@pytest.mark.netns
def test_a_container_has_a_namespace_of_its_own_and_a_process_in_it() -> None:
    with Namespaces() as namespaces:
        one, other = namespaces.container(process="nginx"), namespaces.container()
        inodes = {Path(f"/proc/{pid}/ns/net").stat().st_ino for pid in ("self", one.pid, other.pid)}
        assert len(inodes) == 3
        assert one.inode in inodes
        assert Path(f"/proc/{one.pid}/comm").read_text() == "nginx\n"


@pytest.mark.netns
def test_it_has_the_listeners_and_the_waiting_clients_that_are_ordered() -> None:
    with Namespaces() as namespaces:
        container = namespaces.container()
        container.listen_tcp(80, 443, backlog=4)
        container.listen_unix("control", backlog=6)
        container.fill_tcp(443, 5)
        container.fill_unix("control", 3)
        tcp = {row.split()[3]: row.split()[1:3] for row in inside(container, "ss", "-Htln")}
        unix = [row.split()[2:5] for row in inside(container, "ss", "-Hxl")]
        assert tcp == {"0.0.0.0:80": ["0", "4"], "0.0.0.0:443": ["5", "4"]}
        assert unix == [["3", "6", "@control"]]
    assert not programs.output("ss", "-Htln")


@pytest.mark.netns
def test_more_clients_than_fit_fail_the_test() -> None:
    with Namespaces() as namespaces:
        container = namespaces.container()
        container.listen_tcp(80, backlog=1)
        with pytest.raises(pytest.fail.Exception, match=r"fill_tcp.*timed out"):
            container.fill_tcp(80, 3)


@pytest.mark.netns
def test_its_process_has_no_file_of_the_test_open() -> None:
    with socket.create_server(("127.0.0.1", 80)) as server, Namespaces() as namespaces:
        os.dup2(server.fileno(), 500)
        container = namespaces.container()
        opened = [
            file.readlink() for file in Path(f"/proc/{container.pid}/fd").iterdir() if int(file.name) > 2
        ]
        assert len(opened) == 1


@pytest.mark.netns
def test_a_rootless_container_is_root_in_a_user_namespace_of_its_own() -> None:
    with Namespaces() as namespaces:
        container = namespaces.container(user_namespace=True)
        users = [Path(f"/proc/{pid}/ns/user").stat().st_ino for pid in ("self", container.pid)]
        assert users[0] != users[1]
        assert Path(f"/proc/{container.pid}/uid_map").read_text().split()[::2] == ["0", "1"]
        container.listen_tcp(80)


@pytest.mark.netns
def test_a_named_one_stays_without_its_process_until_its_name_is_taken_away() -> None:
    with Namespaces() as namespaces:
        container = namespaces.named("blue")
        assert (NAMED / "blue").stat().st_ino == container.inode
        container.stop()
        assert not Path(f"/proc/{container.pid}").exists()
        assert "blue" in programs.output("ip", "netns", "list")
        assert programs.output("ip", "-n", "blue", "-o", "link").startswith("1: lo: <LOOPBACK,UP")
        namespaces.remove_name("blue")
        assert list(NAMED.iterdir()) == []


@pytest.mark.netns
def test_names_are_seen_in_the_test_alone() -> None:
    NAMED.mkdir(exist_ok=True)
    outside = os.open(NAMED, os.O_DIRECTORY)
    with Namespaces() as namespaces:
        namespaces.named("blue")
        assert "blue" not in os.listdir(outside)  # noqa: PTH208  (pathlib lists no descriptor)
    os.close(outside)


@pytest.mark.netns
def test_processes_and_names_are_gone_after_the_context() -> None:
    with Namespaces() as namespaces:
        named = namespaces.named("blue")
        stopped = namespaces.container()
        stopped.stop()
    assert list(NAMED.iterdir()) == []
    assert not Path(f"/proc/{named.pid}").exists()


@pytest.mark.netns
def test_a_veth_pair_reaches_into_it() -> None:
    with Namespaces() as namespaces:
        container = namespaces.container(user_namespace=True)
        container.veth("10.98.0.1/30", "10.98.0.2/30")
        container.listen_tcp(80)
        with socket.create_connection(("10.98.0.2", 80), timeout=5) as client:
            assert client.getsockname()[0] == "10.98.0.1"


@pytest.mark.netns
@pytest.mark.parametrize("user_namespace", [False, True])
def test_it_ends_with_the_process_that_made_it(user_namespace: bool) -> None:  # noqa: FBT001
    # The copy of that process lives on, with its end of the pipe.
    code = (
        "import os, time; from testbed.netns import Namespaces; "
        f"made = Namespaces().container(user_namespace={user_namespace}); "
        "print(made.pid, flush=True); os.fork(); time.sleep(60)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as made:
        assert made.stdout is not None
        pid = int(made.stdout.readline())
        assert not ended(pid)
        made.send_signal(signal.SIGKILL)
    until(lambda: ended(pid), bool)
