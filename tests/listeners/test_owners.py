"""Who owns a socket: looked for once, in small steps, and kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.kernel.records import Listener
from exporter.listeners.group import Group
from exporter.listeners.key import key_of
from exporter.listeners.owners import NOBODY, Owner, Owners
from tests.listeners.host import Host
from tests.listeners.sockets import reading, tcp

AGAIN_SECONDS = 5.0
LOOKS = 3


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def owners(host: Host) -> Owners:
    return Owners(host.walk, host.read)


def look(owners: Owners, now: float = 0.0) -> None:
    """Go on to the end of a walk, if there is anything to look for."""
    if owners.pending(now):
        assert owners.step(now, lambda: False)


def of(owners: Owners, *inodes: int) -> str:
    """The process that owns a group of sockets with these inodes."""
    group = Group(key_of(tcp(1), "host"))
    for inode in inodes:
        group.open(tcp(inode, inode=inode), reading(inode))
    return owners.of(group).process


def test_owner_is_the_process_that_holds_the_socket(host: Host, owners: Owners) -> None:
    host.run(10, b"sshd", 1)
    host.run(20, b"nginx", 2, 3)
    owners.want({1, 2}, 0.0)
    look(owners)
    assert (of(owners, 1), of(owners, 2)) == ("sshd", "nginx")
    assert owners.unseen() == 0


def test_owner_is_looked_for_once(host: Host, owners: Owners) -> None:
    """However often the listening sockets are told, only new ones cost a walk."""
    host.run(10, b"sshd", 1)
    for now in range(100):
        owners.want({1}, float(now))
        look(owners, float(now))
    assert host.walks == 1
    host.run(11, b"nginx", 2)
    for now in range(100, 200):
        owners.want({1, 2}, float(now))
        look(owners, float(now))
    assert host.walks == 2
    assert of(owners, 2) == "nginx"


def test_nothing_is_looked_for_where_nothing_listens(host: Host, owners: Owners) -> None:
    owners.want(set(), 0.0)
    look(owners)
    owners.want({0}, 0.0)
    look(owners)
    assert host.walks == 0, "inode 0 is a socket without a file, which nobody can hold"


def test_many_new_sockets_cost_one_walk(host: Host, owners: Owners) -> None:
    host.run(10, b"app", *range(1, 1000))
    owners.want(set(range(1, 1000)), 0.0)
    look(owners)
    assert host.walks == 1
    assert owners.unseen() == 0


def test_of_several_processes_the_first_to_start_is_the_owner(host: Host, owners: Owners) -> None:
    """A master before its workers, whatever order the walk has and however pids were given."""
    host.run(30, b"worker", 1, started=300)
    host.run(90, b"master", 1, started=100)
    host.run(40, b"worker", 1, started=400)
    owners.want({1}, 0.0)
    look(owners)
    assert of(owners, 1) == "master"


def test_process_1_owns_what_nobody_else_has(host: Host, owners: Owners) -> None:
    """systemd opens sockets for services and keeps them; the service is who accepts."""
    host.run(1, b"systemd", 1, 2, started=0)
    host.run(50, b"cupsd", 1)
    owners.want({1, 2}, 0.0)
    look(owners)
    assert (of(owners, 1), of(owners, 2)) == ("cupsd", "systemd")


def test_owner_of_a_group_is_the_first_to_start_of_its_sockets_owners(host: Host, owners: Owners) -> None:
    host.run(7, b"new", 1, started=900)
    host.run(8, b"old", 2, started=100)
    owners.want({1, 2}, 0.0)
    look(owners)
    assert of(owners, 1, 2) == "old"


def test_socket_that_opens_during_a_walk_gets_one_of_its_own(host: Host, owners: Owners) -> None:
    """The walk may have passed its process by."""
    host.run(10, b"first", 1)
    host.run(11, b"second", 2)
    owners.want({1}, 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.want({1, 2}, 0.1)
    look(owners, 0.1)
    assert (of(owners, 1), of(owners, 2)) == ("first", "")
    assert owners.pending(0.1)
    look(owners, 0.1)
    assert of(owners, 2) == "second"
    assert host.walks == 2


def test_socket_that_closes_during_a_walk_is_forgotten(host: Host, owners: Owners) -> None:
    host.run(10, b"first", 1)
    owners.want({1}, 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.want(set(), 0.1)
    look(owners, 0.1)
    assert of(owners, 1) == ""
    assert owners.unseen() == 0


def test_step_goes_no_further_than_allowed(host: Host, owners: Owners) -> None:
    """One look at a process, one question: the other sources wait no longer than that."""
    for pid in range(10, 20):
        host.run(pid, b"app", pid)
    owners.want({19}, 0.0)
    steps = 1
    while not owners.step(0.0, lambda: True):
        steps += 1
        assert owners.pending(0.0)
    assert steps == 11, "ten processes and the end"
    assert of(owners, 19) == "app"
    assert host.walks == 1


def test_socket_on_its_way_is_looked_for_again_and_then_left_alone(host: Host, owners: Owners) -> None:
    """It may be handed to a process that starts just now; who never shows up costs no more."""
    owners.want({1}, 0.0)
    now = 0.0
    for walks in range(1, LOOKS + 1):
        look(owners, now)
        assert host.walks == walks
        assert not owners.pending(now + AGAIN_SECONDS - 0.1)
        now += AGAIN_SECONDS
    assert not owners.pending(now + 1000 * AGAIN_SECONDS)
    assert (of(owners, 1), owners.unseen()) == ("", 1)


def test_socket_that_arrives_late_is_found(host: Host, owners: Owners) -> None:
    owners.want({1}, 0.0)
    look(owners, 0.0)
    host.run(10, b"late", 1)
    look(owners, AGAIN_SECONDS)
    assert (of(owners, 1), owners.unseen()) == ("late", 0)


def test_new_socket_does_not_bring_back_one_that_was_given_up(host: Host, owners: Owners) -> None:
    owners.want({1}, 0.0)
    for look_number in range(LOOKS):
        look(owners, look_number * AGAIN_SECONDS)
    host.run(10, b"late", 1, 2)
    owners.want({1, 2}, 100.0)
    look(owners, 100.0)
    assert (of(owners, 1), of(owners, 2)) == ("", "late")


def test_process_that_ends_before_it_is_read_is_no_owner(host: Host, owners: Owners) -> None:
    host.run(10, b"dying", 1)
    host.run(11, b"heir", 1)
    owners.want({1}, 0.0)
    while not owners.step(0.0, lambda: True):
        host.processes.pop(10, None)
    assert of(owners, 1) == "heir"


def test_only_holder_that_ends_leaves_the_socket_unseen(host: Host, owners: Owners) -> None:
    host.run(10, b"dying", 1)
    owners.want({1}, 0.0)
    assert not owners.step(0.0, lambda: True)
    host.processes.clear()
    look(owners)
    assert (of(owners, 1), owners.unseen()) == ("", 1)


def test_owner_stays_when_its_process_ends(host: Host, owners: Owners) -> None:
    """The socket is what was asked about; as long as it listens its name does not change."""
    host.run(10, b"master", 1)
    owners.want({1}, 0.0)
    look(owners)
    host.processes.clear()
    owners.want({1}, 10.0)
    assert of(owners, 1) == "master"


def test_number_that_comes_back_is_looked_for_anew(host: Host, owners: Owners) -> None:
    """Inodes are used again, by another socket of another program."""
    host.run(10, b"old", 1)
    owners.want({1}, 0.0)
    look(owners)
    owners.want(set(), 10.0)
    host.processes.clear()
    host.run(20, b"new", 1)
    owners.want({1}, 20.0)
    look(owners, 20.0)
    assert of(owners, 1) == "new"


def test_it_is_blind_where_a_process_denies_what_may_be_the_owner(host: Host, owners: Owners) -> None:
    host.run(10, b"mine", 1)
    host.run(11, b"not-mine", 2)
    host.denied = {11}
    owners.want({1}, 0.0)
    look(owners)
    blind = [owners.blind]
    owners.want({1, 2}, 0.0)
    look(owners)
    blind.append(owners.blind)
    assert (of(owners, 1), of(owners, 2), owners.unseen()) == ("mine", "", 1)
    host.denied = set()
    look(owners, AGAIN_SECONDS)
    blind.append(owners.blind)
    assert blind == [False, True, False], "who denies is no matter where nothing is missing"


def test_name_is_made_printable(host: Host, owners: Owners) -> None:
    host.run(10, b'a"b\n\xff\\', 1)
    owners.want({1}, 0.0)
    look(owners)
    assert of(owners, 1) == r'a"b\x0a\xff\x5c'


def owner_with_uid(owners: Owners, uid: int | None) -> Owner:
    listener: Listener = replace(tcp(1), uid=uid)
    group = Group(key_of(listener, "host"))
    group.open(listener, reading(1))
    return owners.of(group)


def test_user_is_known_without_any_process(owners: Owners) -> None:
    assert owner_with_uid(owners, 0) == Owner(user="root")
    assert owner_with_uid(owners, 4_000_000_001) == Owner(user="4000000001")
    assert owner_with_uid(owners, None) == NOBODY


def test_user_name_that_is_no_text_is_made_printable(owners: Owners, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passwd file may hold any byte, and a page may not."""
    monkeypatch.setattr("exporter.listeners.owners.user_name", lambda _uid: "j\udcf6rg\\")
    assert owner_with_uid(owners, 5).user == r"j\xf6rg\x5c"
