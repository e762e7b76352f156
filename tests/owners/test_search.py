"""Who owns a socket: looked for once, in small steps, and kept."""

from __future__ import annotations

from exporter.owners.search import OwnerSearch
from tests.owners.fake_host import Host, group_of, look, owner_of, unhinted

AGAIN_SECONDS = 5.0
LOOKS = 3


def test_owner_is_the_process_that_holds_the_socket(host: Host, owners: OwnerSearch) -> None:
    host.run(10, b"sshd", 1)
    host.run(20, b"nginx", 2, 3)
    owners.want(unhinted(1, 2), 0.0)
    look(owners)
    assert (owner_of(owners, 1), owner_of(owners, 2)) == ("sshd", "nginx")
    assert owners.unseen() == 0


def test_owner_is_looked_for_once(host: Host, owners: OwnerSearch) -> None:
    """However often the listening sockets are told, only new ones cost a walk."""
    host.run(10, b"sshd", 1)
    for now in range(100):
        owners.want(unhinted(1), float(now))
        look(owners, float(now))
    assert host.walks == 1
    host.run(11, b"nginx", 2)
    for now in range(100, 200):
        owners.want(unhinted(1, 2), float(now))
        look(owners, float(now))
    assert host.walks == 2
    assert owner_of(owners, 2) == "nginx"


def test_nothing_is_looked_for_where_nothing_listens(host: Host, owners: OwnerSearch) -> None:
    owners.want({}, 0.0)
    look(owners)
    owners.want(unhinted(0), 0.0)
    look(owners)
    assert host.walks == 0, "inode 0 is a socket without a file, which nobody can hold"


def test_many_new_sockets_cost_one_walk(host: Host, owners: OwnerSearch) -> None:
    host.run(10, b"app", *range(1, 1000))
    owners.want(unhinted(*range(1, 1000)), 0.0)
    look(owners)
    assert host.walks == 1
    assert owners.unseen() == 0


def test_socket_that_opens_during_a_walk_gets_one_of_its_own(host: Host, owners: OwnerSearch) -> None:
    """The walk may have passed its process by."""
    host.run(10, b"first", 1)
    host.run(11, b"second", 2)
    owners.want(unhinted(1), 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.want(unhinted(1, 2), 0.1)
    look(owners, 0.1)
    assert (owner_of(owners, 1), owner_of(owners, 2)) == ("first", "second")
    assert host.walks == 2


def test_socket_that_closes_during_a_walk_is_forgotten(host: Host, owners: OwnerSearch) -> None:
    host.run(10, b"first", 1)
    owners.want(unhinted(1), 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.want({}, 0.1)
    look(owners, 0.1)
    assert owner_of(owners, 1) == ""
    assert owners.unseen() == 0


def test_step_goes_no_further_than_allowed(host: Host, owners: OwnerSearch) -> None:
    """One look at a process, one question: the other sources wait no longer than that."""
    for pid in range(10, 20):
        host.run(pid, b"app", pid)
    owners.want(unhinted(19), 0.0)
    steps = 1
    while not owners.step(0.0, lambda: True):
        steps += 1
        assert owners.pending(0.0)
    assert steps == 13, "ten processes, the one that has it twice more, and the end"
    assert owner_of(owners, 19) == "app"
    assert host.walks == 1


def test_socket_on_its_way_is_looked_for_again_and_then_left_alone(host: Host, owners: OwnerSearch) -> None:
    """It may be handed to a process that starts just now; who never shows up costs no more."""
    owners.want(unhinted(1), 0.0)
    now = 0.0
    for walks in range(1, LOOKS + 1):
        look(owners, now)
        assert host.walks == walks
        assert not owners.pending(now + AGAIN_SECONDS - 0.1)
        now += AGAIN_SECONDS
    assert not owners.pending(now + 1000 * AGAIN_SECONDS)
    assert (owner_of(owners, 1), owners.unseen()) == ("", 1)


def test_socket_that_arrives_late_is_found(host: Host, owners: OwnerSearch) -> None:
    owners.want(unhinted(1), 0.0)
    look(owners, 0.0)
    host.run(10, b"late", 1)
    look(owners, AGAIN_SECONDS)
    assert (owner_of(owners, 1), owners.unseen()) == ("late", 0)


def test_new_socket_does_not_bring_back_one_that_was_given_up(host: Host, owners: OwnerSearch) -> None:
    owners.want(unhinted(1), 0.0)
    for look_number in range(LOOKS):
        look(owners, look_number * AGAIN_SECONDS)
    host.run(10, b"late", 1, 2)
    owners.want(unhinted(1, 2), 100.0)
    look(owners, 100.0)
    assert (owner_of(owners, 1), owner_of(owners, 2)) == ("", "late")


def test_process_that_ends_before_it_is_read_is_no_owner(host: Host, owners: OwnerSearch) -> None:
    host.run(10, b"dying", 1)
    host.run(11, b"heir", 1)
    owners.want(unhinted(1), 0.0)
    while not owners.step(0.0, lambda: True):
        host.processes.pop(10, None)
    assert owner_of(owners, 1) == "heir"


def test_only_holder_that_ends_leaves_the_socket_unseen(host: Host, owners: OwnerSearch) -> None:
    host.run(10, b"dying", 1)
    owners.want(unhinted(1), 0.0)
    assert not owners.step(0.0, lambda: True)
    host.processes.clear()
    look(owners)
    assert (owner_of(owners, 1), owners.unseen()) == ("", 1)


def test_owner_stays_when_its_process_ends(host: Host, owners: OwnerSearch) -> None:
    """The socket is what was asked about; as long as it listens its name does not change."""
    host.run(10, b"master", 1)
    owners.want(unhinted(1), 0.0)
    look(owners)
    host.processes.clear()
    owners.want(unhinted(1), 10.0)
    assert owner_of(owners, 1) == "master"


def test_number_that_comes_back_is_looked_for_anew(host: Host, owners: OwnerSearch) -> None:
    """Inodes are used again, by another socket of another program."""
    host.run(10, b"old", 1)
    owners.want(unhinted(1), 0.0)
    look(owners)
    owners.want({}, 10.0)
    host.processes.clear()
    host.run(20, b"new", 1)
    owners.want(unhinted(1), 20.0)
    look(owners, 20.0)
    assert owner_of(owners, 1) == "new"


def test_it_is_blind_where_a_process_denies_what_may_be_the_owner(host: Host, owners: OwnerSearch) -> None:
    host.run(10, b"mine", 1)
    host.run(11, b"not-mine", 2)
    host.denied = {11}
    owners.want(unhinted(1), 0.0)
    look(owners)
    blind = [owners.blind]
    owners.want(unhinted(1, 2), 0.0)
    look(owners)
    blind.append(owners.blind)
    assert (owner_of(owners, 1), owner_of(owners, 2), owners.unseen()) == ("mine", "", 1)
    host.denied = set()
    look(owners, AGAIN_SECONDS)
    blind.append(owners.blind)
    assert blind == [False, True, False], "who denies is no matter where nothing is missing"


def test_it_is_blind_where_the_processes_of_others_are_hidden(host: Host, owners: OwnerSearch) -> None:
    """A /proc with hidepid denies nothing; it does not show process 1."""
    host.hides_init = True
    owners.want(unhinted(1), 0.0)
    look(owners)
    assert owners.blind


def test_it_is_settled_when_nothing_more_will_be_found_out(host: Host, owners: OwnerSearch) -> None:
    host.run(10, b"mine", 1)
    owners.want(unhinted(1, 2), 0.0)
    settled = []
    for now in (0.0, AGAIN_SECONDS, 2 * AGAIN_SECONDS):
        look(owners, now)
        settled.append((owners.settled(group_of(1)), owners.settled(group_of(2))))
    assert settled == [(True, False), (True, False), (True, True)]
