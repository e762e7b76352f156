"""Which of several processes that hold a socket is its owner, also where they change during the search."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.kernel.processes.process import ProcessSockets
from exporter.owners.socket_holders import SocketHolders
from tests.owners.fake_host import FakeHost


def owners_of(host: FakeHost, *inodes: int) -> dict[int, bytes]:
    holders = SocketHolders(host, set(inodes))
    for _ in holders.search(host.pids()):
        pass
    return {inode: process.name for inode, process in holders.found.items()}


def test_the_first_process_to_start_is_the_owner(host: FakeHost) -> None:
    """A master before its workers, whatever their pids and the order of the search."""
    host.run(30, b"worker", 1, started=300)
    host.run(90, b"master", 1, started=100)
    host.run(40, b"worker", 1, started=400)
    assert owners_of(host, 1) == {1: b"master"}


def test_process_1_is_the_owner_of_what_no_other_process_holds(host: FakeHost) -> None:
    """systemd opens sockets for services and keeps them; the service accepts the connections."""
    host.run(1, b"systemd", 1, 2, started=0)
    host.run(50, b"cupsd", 1)
    assert owners_of(host, 1, 2) == {1: b"cupsd", 2: b"systemd"}


@pytest.mark.parametrize(
    "holder",
    [
        *("systemd", "(shopd)", "supervisord", "runsv", "s6-supervise", "xinetd", "conmon"),
        *("inetutils-inetd", "rlinetd", "dbus-broker-launch", "traffic_manager", "systemd-executor", "time"),
        *("containerd-shim", "dockerd", "systemd-nspawn", "tini-static", "bwrap", "unshare"),
        *("npm start", "run.sh", "sudo"),
    ],
)
def test_what_opens_or_keeps_a_socket_for_others_is_no_owner_beside_them(host: FakeHost, holder: str) -> None:
    host.run(20, holder.encode(), 1)
    host.run(50, b"shopd", 1)
    assert owners_of(host, 1) == {1: b"shopd"}


def test_only_what_is_sought_is_found(host: FakeHost) -> None:
    host.run(10, b"app", 1, 2, 3)
    assert owners_of(host, 2, 4) == {2: b"app"}


class Portions(FakeHost):
    """A host that returns the sockets of a process one by one."""

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        for inode in sorted(self.processes[pid][1]):
            self.read_pids.append(pid)
            yield ProcessSockets(pid, frozenset({inode}))


def test_a_holder_is_read_again_only_as_far_as_its_sockets() -> None:
    host = Portions()
    host.run(10, b"app", 1, 2, 3, 4)
    holders = SocketHolders(host, {1, 2})
    for _ in holders.search([10]):
        pass
    assert set(holders.found) == {1, 2}
    assert len(host.read_pids) == 4 + 2


def test_processes_whose_descriptors_may_not_be_read_are_counted(host: FakeHost) -> None:
    for pid in (10, 11, 12):
        host.run(pid, b"app", pid)
    host.denied = {10, 12}
    holders = SocketHolders(host, {10, 11, 12})
    for _ in holders.search(host.pids()):
        pass
    assert (set(holders.found), holders.denied_count) == ({11}, 2)


def test_a_process_that_ends_during_the_search_is_no_owner(host: FakeHost) -> None:
    host.run(10, b"ended", 1)
    host.run(11, b"other", 1)
    holders = SocketHolders(host, {1})
    for _ in holders.search([10, 11]):
        host.processes.pop(10, None)
    assert holders.found[1].name == b"other"


def test_a_socket_whose_only_holder_ends_has_no_owner(host: FakeHost) -> None:
    host.run(10, b"ended", 1)
    holders = SocketHolders(host, {1})
    for _ in holders.search([10]):
        host.processes.clear()
    assert holders.found == {}


def test_a_process_that_takes_over_a_pid_during_the_search_is_no_owner(host: FakeHost) -> None:
    """The name that is read last would be that of another program."""
    host.run(20, b"web", 1)

    def reuse(pid: int) -> None:
        if host.read_pids.count(pid) == 2:
            host.run(pid, b"another", 1, started=9999)

    host.before_read = reuse
    assert owners_of(host, 1) == {}


def test_a_process_that_closes_its_socket_during_the_search_is_no_owner(host: FakeHost) -> None:
    host.run(20, b"web", 1)
    host.run(21, b"web-worker", 1)

    def close(pid: int) -> None:
        if pid == 20 and host.read_pids.count(20) == 2:
            host.run(20, b"web")

    host.before_read = close
    assert owners_of(host, 1) == {1: b"web-worker"}


def test_a_process_that_gets_a_name_during_the_search_has_it(host: FakeHost) -> None:
    host.run(20, b"starter", 1)

    def rename(pid: int) -> None:
        if host.read_pids.count(pid) == 2:
            host.run(pid, b"web", 1)

    host.before_read = rename
    assert owners_of(host, 1) == {1: b"web"}


def test_a_process_that_is_known_to_hold_sockets_for_others_comes_last(host: FakeHost) -> None:
    """Before process 1, which does so as well."""
    host.run(1, b"systemd", 1, 2)
    host.run(10, b"python3", 1, 2)
    host.run(20, b"web", 1)
    holders = SocketHolders(host, {1, 2}, lambda process: process.name == b"python3")
    for _ in holders.search(host.pids()):
        pass
    assert {inode: process.name for inode, process in holders.found.items()} == {1: b"web", 2: b"python3"}
