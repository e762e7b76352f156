"""Search for owners: how often, in which steps, and what is kept."""

from __future__ import annotations

from dataclasses import replace

from exporter.kernel.family import TCP
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.owners.search import OwnerSearch
from tests.listeners.sockets import reading, tcp
from tests.owners.fake_host import FakeHost, group_of, process_of, search, without_cgroup

RETRY_SECONDS = 5.0
MAX_SEARCHES = 3


def test_owner_is_the_process_that_holds_the_socket(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"sshd", 1)
    host.run(20, b"nginx", 2, 3)
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    search(owners)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("sshd", "nginx")
    assert owners.count_without_owner() == 0


def test_owner_of_a_group_is_the_first_to_start_of_the_owners_of_its_sockets(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(7, b"new", 1, started=900)
    host.run(8, b"old", 2, started=100)
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    search(owners)
    assert process_of(owners, 1, 2) == "old"


def test_process_name_is_printable(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b'a"b\n\xff\\', 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert process_of(owners, 1) == r'a"b\x0a\xff\x5c'


def owner_with_uid(owners: OwnerSearch, uid: int | None) -> Owner:
    listener = replace(tcp(1), uid=uid)
    group = ListenerGroup(key_of(listener, "host", TCP.protocol))
    group.open(listener, reading(1))
    return owners.owner_of(group)


def test_user_is_known_without_any_process(owners: OwnerSearch) -> None:
    assert owner_with_uid(owners, 0) == Owner(user="root")
    assert owner_with_uid(owners, 4_000_000_001) == Owner(user="4000000001")
    assert owner_with_uid(owners, None) == UNKNOWN_OWNER


def test_user_name_is_printable(host: FakeHost) -> None:
    """passwd may have a name of any bytes, which Python reads with surrogates."""
    owners = OwnerSearch(host, host.cgroups, user_name=lambda _uid: "j\udcf6rg\\")
    assert owner_with_uid(owners, 5).user == r"j\xf6rg\x5c"


def test_owner_is_searched_for_once(host: FakeHost, owners: OwnerSearch) -> None:
    """However often the sockets are set, only new ones need a search."""
    host.run(10, b"sshd", 1)
    for now in range(100):
        owners.set_sockets(without_cgroup(1), float(now))
        search(owners, float(now))
    assert host.full_searches == 1
    host.run(11, b"nginx", 2)
    for now in range(100, 200):
        owners.set_sockets(without_cgroup(1, 2), float(now))
        search(owners, float(now))
    assert host.full_searches == 2
    assert process_of(owners, 2) == "nginx"


def test_without_sockets_nothing_is_searched_for(host: FakeHost, owners: OwnerSearch) -> None:
    owners.set_sockets({}, 0.0)
    search(owners)
    owners.set_sockets(without_cgroup(0), 0.0)
    search(owners)
    assert host.full_searches == 0, "inode 0 is a socket without a file, which no process can hold"


def test_many_new_sockets_need_one_search(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"app", *range(1, 1000))
    owners.set_sockets(without_cgroup(*range(1, 1000)), 0.0)
    search(owners)
    assert host.full_searches == 1
    assert owners.count_without_owner() == 0


def test_socket_that_opens_during_a_search_gets_a_search_of_its_own(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """Its process may have been read already."""
    host.run(10, b"first", 1)
    host.run(11, b"second", 2)
    owners.set_sockets(without_cgroup(1), 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.set_sockets(without_cgroup(1, 2), 0.1)
    search(owners, 0.1)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("first", "second")
    assert host.full_searches == 2


def test_socket_that_closes_during_a_search_is_forgotten(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"first", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.set_sockets({}, 0.1)
    search(owners, 0.1)
    assert process_of(owners, 1) == ""
    assert owners.count_without_owner() == 0


def test_a_step_reads_one_process(host: FakeHost, owners: OwnerSearch) -> None:
    """So that the other sources can be sampled after each."""
    for pid in range(10, 20):
        host.run(pid, b"app", pid)
    owners.set_sockets(without_cgroup(19), 0.0)
    steps = 1
    while not owners.step(0.0, lambda: True):
        steps += 1
        assert owners.pending(0.0)
    assert steps == 13, "ten processes, the holder twice more, and the end of the search"
    assert process_of(owners, 19) == "app"
    assert host.full_searches == 1


def test_socket_without_an_owner_is_searched_for_a_few_times(host: FakeHost, owners: OwnerSearch) -> None:
    """It may be passed to a process that starts during a search."""
    owners.set_sockets(without_cgroup(1), 0.0)
    now = 0.0
    for searches in range(1, MAX_SEARCHES + 1):
        search(owners, now)
        assert host.full_searches == searches
        assert not owners.pending(now + RETRY_SECONDS - 0.1)
        now += RETRY_SECONDS
    assert not owners.pending(now + 1000 * RETRY_SECONDS)
    assert (process_of(owners, 1), owners.count_without_owner()) == ("", 1)


def test_owner_is_found_by_a_later_search(host: FakeHost, owners: OwnerSearch) -> None:
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners, 0.0)
    host.run(10, b"late", 1)
    search(owners, RETRY_SECONDS)
    assert (process_of(owners, 1), owners.count_without_owner()) == ("late", 0)


def test_a_new_socket_does_not_restart_the_search_for_an_old_one(host: FakeHost, owners: OwnerSearch) -> None:
    owners.set_sockets(without_cgroup(1), 0.0)
    for searches in range(MAX_SEARCHES):
        search(owners, searches * RETRY_SECONDS)
    host.run(10, b"late", 1, 2)
    owners.set_sockets(without_cgroup(1, 2), 100.0)
    search(owners, 100.0)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("", "late")


def test_owner_is_kept_when_its_process_ends(host: FakeHost, owners: OwnerSearch) -> None:
    """As long as the socket listens, its labels do not change."""
    host.run(10, b"master", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.processes.clear()
    owners.set_sockets(without_cgroup(1), 10.0)
    assert process_of(owners, 1) == "master"


def test_an_inode_that_is_reused_is_searched_for_again(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"old", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    owners.set_sockets({}, 10.0)
    host.processes.clear()
    host.run(20, b"new", 1)
    owners.set_sockets(without_cgroup(1), 20.0)
    search(owners, 20.0)
    assert process_of(owners, 1) == "new"


def test_access_is_denied_where_an_owner_is_missing_and_a_process_cannot_be_read(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(10, b"mine", 1)
    host.run(11, b"not-mine", 2)
    host.denied = {11}
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    denied = [owners.access_denied]
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    denied.append(owners.access_denied)
    search(owners)
    denied.append(owners.access_denied)
    assert (process_of(owners, 1), process_of(owners, 2), owners.count_without_owner()) == ("mine", "", 1)
    host.denied = set()
    search(owners, RETRY_SECONDS)
    denied.append(owners.access_denied)
    assert denied == [False, False, True, False], "not where no owner is missing, nor before the search"


def test_access_is_not_denied_where_an_owner_is_missing_and_every_process_was_read(
    owners: OwnerSearch,
) -> None:
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert owners.count_without_owner() == 1
    assert not owners.access_denied


def test_access_is_denied_where_procfs_hides_the_processes_of_others(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """With hidepid=2 it shows no process 1, and denies nothing."""
    host.hides_init = True
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert owners.access_denied


def test_owner_is_final_when_it_was_found_or_no_search_is_left(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"mine", 1)
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    final = []
    for now in (0.0, RETRY_SECONDS, 2 * RETRY_SECONDS):
        search(owners, now)
        final.append((owners.final(group_of(1)), owners.final(group_of(2))))
    assert final == [(True, False), (True, False), (True, True)]


def test_a_socket_counts_as_searched_after_one_search(owners: OwnerSearch) -> None:
    """Inode 0 is never searched for."""
    assert not owners.searched(group_of(77))
    assert owners.searched(group_of(0))
    owners.set_sockets(without_cgroup(77), 0.0)
    assert not owners.searched(group_of(77))
    search(owners)
    assert owners.searched(group_of(77))
