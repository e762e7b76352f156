"""Search for owners: how often, in which steps, and what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.kernel.processes.files import BoundSocket, HeldSocket
from exporter.kernel.records import FileId
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.owners.process_users import ProcessUser, UserOfProcess
from exporter.owners.programs import ProcessId
from exporter.owners.search import OwnerSearch
from tests.listeners.sockets import tcp, unix
from tests.owners.fake_host import FakeHost, process_of, search, without_cgroup

RETRY_SECONDS = 5.0
LOOK_SECONDS = 2.0
READ_SECONDS = 20.0
FIRST_PAUSE_SECONDS = 10.0
MAX_SEARCHES = 3


def test_owner_is_the_process_that_holds_the_socket(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"sshd", 1)
    host.run(20, b"nginx", 2, 3)
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    search(owners)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("sshd", "nginx")
    assert owners.count_without_owner() == 0


def test_the_owner_that_started_first_is_sorted_first(host: FakeHost, owners: OwnerSearch) -> None:
    """It gives a group of several sockets its owner."""
    host.run(7, b"new", 1, started=900)
    host.run(8, b"old", 2, started=100)
    owners.set_sockets(without_cgroup(1, 2, 3), 0.0)
    search(owners)
    known = owners.owners_of(without_cgroup(1, 2, 3)).values()
    assert [each.owner.process for each in sorted(known, key=lambda each: each.order)] == ["old", "new", ""]


def test_process_name_is_printable(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b'a"b\n\xff\\', 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert process_of(owners, 1) == r'a"b\x0a\xff\x5c'


def owner_with_uid(owners: OwnerSearch, uid: int | None) -> Owner:
    """Return the owner of a socket that no process can hold."""
    return owners.owners_of([tcp(1, inode=0, uid=uid)])[1].owner


def test_user_is_known_without_any_process(owners: OwnerSearch) -> None:
    """One without a name is shown by its number."""
    assert owner_with_uid(owners, 0) == Owner(user="root")
    assert owner_with_uid(owners, 4_000_000_001) == Owner(user="4000000001")
    assert owner_with_uid(owners, None) == UNKNOWN_OWNER


def test_a_user_has_the_name_that_its_process_has_for_it(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"web", 1)
    host.host_users.answers[5] = b"of-host"
    host.process_users.answers[UserOfProcess(10, 10, 5)] = ProcessUser(b"inside")
    owners.set_sockets([replace(tcp(1, inode=1), uid=5)], 0.0)
    search(owners)
    (known,) = owners.owners_of([replace(tcp(1, inode=1), uid=5)]).values()
    assert known.owner.user == "inside"


@pytest.mark.parametrize("found", [True, False])
def test_a_listener_waits_for_the_name_of_its_user(host: FakeHost, owners: OwnerSearch, found: bool) -> None:  # noqa: FBT001
    """With or without a process; its series would begin with a number otherwise."""
    listener = replace(tcp(1, inode=1), uid=5)
    if found:
        host.run(10, b"web", 1)
    host.host_users.pending.add(5)
    owners.set_sockets([listener], 0.0)
    search(owners)
    assert owners.owners_of([listener]) == {}
    host.host_users.pending.clear()
    host.host_users.answers[5] = b"web"
    assert not owners.take_changed()
    owners.pending(1.0)
    assert owners.take_changed() == {1}
    assert owners.owners_of([listener])[1].owner.user == "web"


def test_a_name_that_comes_late_is_given_later(host: FakeHost, owners: OwnerSearch) -> None:
    """With or without a process, as soon as it is known and not more than once a second."""
    host.run(10, b"web", 1)
    listeners = [replace(tcp(inode, inode=inode), uid=5) for inode in (1, 2)]
    owners.set_sockets(listeners, 0.0)
    search(owners)
    owners.pending(1.0)
    assert owners.take_changed() == {1, 2}
    host.host_users.answers[5] = b"web"
    host.host_users.version += 1
    owners.pending(3.0)
    assert owners.take_changed() == {1, 2}
    assert {known.owner.user for known in owners.owners_of(listeners).values()} == {"web"}
    owners.pending(5.0)
    assert owners.take_changed() == set()


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
    assert host.full_searches == 3, "processes are listed for new ones, and then for all"
    assert process_of(owners, 2) == "nginx"


def test_without_sockets_nothing_is_searched_for(host: FakeHost, owners: OwnerSearch) -> None:
    owners.set_sockets([], 0.0)
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
    assert host.full_searches == 3, "processes are listed for new ones as well"


def test_socket_that_closes_during_a_search_is_forgotten(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"first", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.set_sockets([], 0.1)
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


def test_socket_without_an_owner_is_searched_for_soon_and_then_seldom(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """It may be passed to a process that starts during a search, or be on its way to one for long."""
    owners.set_sockets(without_cgroup(1), 0.0)
    searched_at = []
    for now in range(1000):
        before = host.full_searches
        search(owners, float(now))
        if host.full_searches > before:
            searched_at.append(now)
    assert searched_at == [0, 5, 10, 20, 30, 50, 90, 170, 330, 630, 930]
    assert (process_of(owners, 1), owners.count_without_owner()) == ("", 1)


def test_owner_that_gets_its_socket_long_after_it_was_opened_is_found(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(5, b"old")
    owners.set_sockets(without_cgroup(1), 0.0)
    for now in range(100):
        search(owners, float(now))
    host.run(5, b"old", 1)
    for now in range(100, 171):
        search(owners, float(now))
    assert (process_of(owners, 1), owners.count_without_owner()) == ("old", 0)


def test_no_search_is_made_for_what_cannot_be_seen(host: FakeHost, owners: OwnerSearch) -> None:
    """But for the first few."""
    host.hides_init = True
    owners.set_sockets(without_cgroup(1), 0.0)
    for number in range(MAX_SEARCHES):
        search(owners, number * RETRY_SECONDS)
    assert not owners.pending(1000.0)


def search_until_known(owners: OwnerSearch, inode: int) -> None:
    """Search in the smallest steps until a process is known that holds a socket."""
    for _ in range(1000):
        owners.step(10.0, lambda: True)
        if process_of(owners, inode):
            break


def test_a_new_process_is_the_owner_of_a_new_socket_before_all_others_are_read(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """To read all of them may take seconds of a small budget."""
    for pid in range(10, 100):
        host.run(pid, b"other")
    host.run(100, b"first", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.run(200, b"nginx", 2)
    owners.set_sockets(without_cgroup(1, 2), 10.0)
    host.read_pids.clear()
    assert owners.pending(10.0)
    search_until_known(owners, 2)
    assert process_of(owners, 2) == "nginx"
    assert set(host.read_pids) == {200}, "known owners are looked at later"
    search(owners, 10.0)
    assert set(host.read_pids) == {*range(10, 101), 200}
    assert (process_of(owners, 2), owners.count_without_owner()) == ("nginx", 0)


def test_a_new_process_is_the_owner_only_until_an_older_one_is_found(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """So that an exporter that starts later finds the same."""
    host.run(10, b"launcher", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.run(10, b"launcher", 1, 2)
    host.run(20, b"server", 2)
    owners.set_sockets(without_cgroup(1, 2), 10.0)
    search_until_known(owners, 2)
    assert process_of(owners, 2) == "server"
    search(owners, 10.0)
    assert process_of(owners, 2) == "launcher"


def test_a_new_process_that_closed_its_socket_is_its_owner_no_longer(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(10, b"other", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.run(20, b"server", 2)
    owners.set_sockets(without_cgroup(1, 2), 10.0)
    search_until_known(owners, 2)
    assert process_of(owners, 2) == "server"
    host.run(20, b"server")
    search(owners, 10.0)
    assert process_of(owners, 2) == ""


def test_owner_is_found_by_a_later_search(host: FakeHost, owners: OwnerSearch) -> None:
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners, 0.0)
    host.run(10, b"late", 1)
    search(owners, RETRY_SECONDS)
    assert (process_of(owners, 1), owners.count_without_owner()) == ("late", 0)


def test_a_search_for_a_new_socket_finds_the_owner_of_an_old_one(host: FakeHost, owners: OwnerSearch) -> None:
    owners.set_sockets(without_cgroup(1), 0.0)
    for searches in range(MAX_SEARCHES):
        search(owners, searches * RETRY_SECONDS)
    host.run(10, b"late", 1, 2)
    owners.set_sockets(without_cgroup(1, 2), 11.0)
    search(owners, 11.0)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("late", "late")


def test_an_owner_that_has_ended_is_searched_for_again(host: FakeHost, owners: OwnerSearch) -> None:
    """A child that inherited the socket is the owner now."""
    host.run(10, b"master", 1)
    host.run(11, b"child", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert (process_of(owners, 1), owners.take_changed()) == ("master", {1})
    del host.processes[10]
    search(owners, LOOK_SECONDS)
    assert (process_of(owners, 1), owners.take_changed()) == ("child", {1})


def test_an_owner_that_has_ended_is_named_no_longer_where_there_is_no_other(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(10, b"master", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.processes.clear()
    search(owners, LOOK_SECONDS)
    assert (process_of(owners, 1), owners.count_without_owner()) == ("", 1)
    assert owners.searched(1)


def test_a_number_that_was_given_to_another_process_is_noticed(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"master", 1)
    host.run(11, b"child", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.run(10, b"other", started=5000)
    search(owners, LOOK_SECONDS)
    assert process_of(owners, 1) == "child"


def test_an_owner_that_gives_itself_another_name_has_it(host: FakeHost, owners: OwnerSearch) -> None:
    """Many do after they have opened their sockets; a search that begins later must find the same."""
    host.run(10, b"starter", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.run(10, b"server", 1)
    search(owners, LOOK_SECONDS)
    assert (process_of(owners, 1), owners.take_changed()) == ("server", {1})
    host.run(10, b"renamed", 1)
    search(owners, 2 * LOOK_SECONDS)
    assert process_of(owners, 1) == "server", "names are read seldom after that"
    search(owners, LOOK_SECONDS + READ_SECONDS)
    assert process_of(owners, 1) == "renamed"


def test_an_owner_that_leaves_its_socket_to_a_child_is_no_longer_its_owner(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """It has closed its descriptor and runs on; soon after it was found, and later within twenty seconds."""
    host.run(10, b"opener", 1, 2)
    host.run(11, b"child", 1, 2)
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    search(owners)
    host.run(10, b"opener", 2)
    search(owners, LOOK_SECONDS)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("child", "opener")
    host.run(10, b"opener")
    search(owners, 2 * LOOK_SECONDS)
    assert process_of(owners, 2) == "opener"
    search(owners, LOOK_SECONDS + READ_SECONDS)
    assert process_of(owners, 2) == "child"


def test_a_socket_that_an_owner_gets_later_is_looked_at_soon(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"opener", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    search(owners, LOOK_SECONDS)
    host.run(10, b"opener", 1, 2)
    owners.set_sockets(without_cgroup(1, 2), 4.0)
    search(owners, 4.0)
    host.run(10, b"opener", 1)
    host.run(11, b"child", 2)
    search(owners, 4.0 + LOOK_SECONDS)
    assert process_of(owners, 2) == "child"


def python_process(pid: int) -> ProcessId:
    """A process of FakeHost that is called python3."""
    return ProcessId(pid, pid, b"python3")


def test_a_manager_that_an_interpreter_runs_is_known_by_its_script(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """Its command name is that of the interpreter. It is not named in between."""
    host.run(10, b"python3", 1, 2)
    host.run(11, b"shopd", 1)
    host.arguments.pending.add(python_process(10))
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    search(owners)
    host.arguments.pending.clear()
    host.arguments.answers[python_process(10)] = (b"python3", b"/usr/bin/supervisord", b"-n")
    for _ in range(3):
        assert owners.pending(0.1)
        assert owners.owners_of(without_cgroup(1, 2)) == {}
        owners.step(0.1, lambda: True)
    search(owners, 0.1)
    assert not owners.pending(0.1)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("shopd", "supervisord")


def test_a_manager_that_becomes_known_during_the_search_is_no_owner(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """Its arguments are looked up while the search chooses among the holders."""
    host.run(10, b"python3", 1, 2)
    host.run(11, b"shopd", 1)
    host.arguments.pending.add(python_process(10))
    reads: list[int] = []

    def answer(pid: int) -> None:
        reads.append(pid)
        if reads.count(10) == 2:
            host.arguments.pending.clear()
            host.arguments.answers[python_process(10)] = (b"python3", b"/usr/bin/supervisord")

    host.before_read = answer
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    search(owners)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("shopd", "supervisord")
    assert not owners.pending(0.1), "one more search is enough"


def test_arguments_that_are_known_late_tell_of_a_manager(host: FakeHost, owners: OwnerSearch) -> None:
    """As where a lookup hung at first."""
    host.run(10, b"python3", 1)
    host.run(11, b"shopd", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert process_of(owners, 1) == "python3"
    host.arguments.answers[python_process(10)] = (b"python3", b"/usr/bin/supervisord")
    host.arguments.version += 1
    search(owners, 1.5)
    assert process_of(owners, 1) == "shopd"


def test_a_new_worker_is_no_owner_of_a_new_socket_that_its_master_opened(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """Also while sockets are held for others, for which only new processes are looked at."""
    host.run(1, b"systemd", 1)
    host.run(10, b"master")
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    search(owners, LOOK_SECONDS)
    host.run(10, b"master", 2)
    host.run(20, b"worker", 2)
    owners.set_sockets(without_cgroup(1, 2), 2 * LOOK_SECONDS)
    search(owners, 2 * LOOK_SECONDS)
    assert process_of(owners, 2) == "master"


def test_a_program_that_becomes_another_has_other_arguments(host: FakeHost, owners: OwnerSearch) -> None:
    """Those that were looked up for the first one name nothing of the second."""
    host.run(10, b"python3", 1)
    host.arguments.answers[python_process(10)] = (b"python3", b"start.py")
    host.arguments.answers[ProcessId(10, 10, b"node")] = (b"node", b"server.js")
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert process_of(owners, 1) == "start.py"
    host.run(10, b"node", 1)
    search(owners, LOOK_SECONDS)
    assert process_of(owners, 1) == "server.js"


def test_an_engine_gives_no_name_to_what_its_containers_run(host: FakeHost, owners: OwnerSearch) -> None:
    identifier = b"0123456789abcdef" * 4
    host.run(10, b"python3", 1, cgroup=b"/system.slice/shop.service")
    host.run(11, b"python3", 2, cgroup=b"/system.slice/containerd.service/cri-containerd-" + identifier)
    host.run(12, b"python3", 3, cgroup=b"/system.slice/shop.service/libpod-payload-" + identifier)
    owners.set_sockets(without_cgroup(1, 2, 3), 0.0)
    search(owners)
    assert [process_of(owners, inode) for inode in (1, 2, 3)] == ["shop", "python3", "shop"]


@pytest.mark.parametrize(
    ("manager", "executable"),
    [
        *((name, b"/bin/" + name) for name in (b"systemd", b"supervisord", b"conmon", b"(shopd)")),
        *((name, b"/bin/" + name) for name in (b"fish", b"tcsh", b"rbash")),
        (b"run.sh", b"/bin/dash"),
        (b"systemd-socket-", b"/usr/bin/systemd-socket-activate"),
        # A script.
        (b"shop-wrapper", b"/bin/dash"),
    ],
)
def test_a_process_that_holds_sockets_for_others_is_no_owner_beside_one_that_serves(
    host: FakeHost, owners: OwnerSearch, manager: bytes, executable: bytes
) -> None:
    host.run(1, b"init", 1)
    host.run(10, manager, 1)
    host.executables[10] = executable
    host.run(20, b"shopd", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert process_of(owners, 1) == "shopd"


def test_a_program_that_gets_a_socket_later_is_its_owner_soon(host: FakeHost, owners: OwnerSearch) -> None:
    """As with socket activation: and no old process is read for it."""
    host.run(1, b"systemd", 1)
    host.run(5, b"old")
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert process_of(owners, 1) == "systemd"
    host.read_pids.clear()
    search(owners, LOOK_SECONDS)
    assert host.read_pids == [1], "whether it still holds its socket"
    host.run(20, b"(shopd)", 1)
    search(owners, 2 * LOOK_SECONDS)
    assert process_of(owners, 1) == "systemd"
    host.run(20, b"shopd", 1)
    search(owners, 3 * LOOK_SECONDS)
    assert process_of(owners, 1) == "shopd"
    assert set(host.read_pids) == {1, 20}


def test_a_script_is_the_owner_until_the_program_that_it_waits_for_runs(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(1, b"systemd", 1)
    host.run(10, b"shop-wrapper", 1)
    host.executables[10] = b"/bin/dash"
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert process_of(owners, 1) == "shop-wrapper"
    host.run(20, b"shopd", 1)
    search(owners, LOOK_SECONDS)
    assert process_of(owners, 1) == "shopd"


def test_a_proxy_that_systemd_activates_is_the_owner_of_its_socket(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """It accepts connections itself; no older search has to find it."""
    host.run(1, b"systemd", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.run(20, b"systemd-socket-", 1)
    host.executables[20] = b"/usr/lib/systemd/systemd-socket-proxyd"
    search(owners, LOOK_SECONDS)
    assert process_of(owners, 1) == "systemd-socket-proxyd"


def test_a_socket_that_is_passed_to_an_old_process_is_found_by_a_full_search(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(1, b"systemd", 1)
    host.run(5, b"old")
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.run(5, b"old", 1)
    search(owners, FIRST_PAUSE_SECONDS - 1)
    assert process_of(owners, 1) == "systemd"
    search(owners, FIRST_PAUSE_SECONDS)
    assert process_of(owners, 1) == "old"


def test_full_searches_for_sockets_that_are_held_become_seldom(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(1, b"systemd", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    full = []
    for now in range(0, 2000, 2):
        before = host.full_searches
        search(owners, float(now))
        # To look for new processes lists them too.
        if host.full_searches > before + 1:
            full.append(now)
    assert full == [0, 10, 20, 40, 80, 160, 320, 620, 920, 1220, 1520, 1820]


def test_a_socket_goes_back_to_the_manager_when_its_program_ends(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(1, b"systemd", 1)
    host.run(20, b"shopd", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    del host.processes[20]
    search(owners, LOOK_SECONDS)
    assert process_of(owners, 1) == "systemd"


def test_an_inode_that_is_reused_is_searched_for_again(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"old", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    owners.set_sockets([], 10.0)
    host.processes.clear()
    host.run(20, b"new", 1)
    owners.set_sockets(without_cgroup(1), 20.0)
    search(owners, 20.0)
    assert process_of(owners, 1) == "new"


def reason(owners: OwnerSearch) -> str | None:
    """Return what keeps owners from being found."""
    return owners.obstacle.reason if owners.obstacle is not None else None


def test_an_obstacle_is_told_while_an_owner_is_missing(host: FakeHost, owners: OwnerSearch) -> None:
    """Here it is that a process cannot be read, since there are no capabilities."""
    host.run(10, b"mine", 1)
    host.run(11, b"not-mine", 2)
    host.denied = {11}
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    reasons = [reason(owners)]
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    reasons.append(reason(owners))
    search(owners)
    search(owners, RETRY_SECONDS)
    reasons.append(reason(owners))
    assert (process_of(owners, 1), process_of(owners, 2), owners.count_without_owner()) == ("mine", "", 1)
    assert owners.unreadable_count == 1
    host.denied = set()
    search(owners, 2 * RETRY_SECONDS)
    reasons.append(reason(owners))
    assert reasons == [None, None, "capabilities", None], (
        "not where no owner is missing, nor before the search"
    )
    assert owners.unreadable_count == 0


def test_a_socket_that_closed_with_its_process_tells_of_no_obstacle(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """It is among the listeners until they are sampled again, but no process holds it."""
    host.in_pid_namespace = True
    host.run(10, b"web", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.processes.clear()
    search(owners, LOOK_SECONDS)
    assert owners.count_without_owner() == 1, "it was searched for"
    assert reason(owners) is None
    search(owners, LOOK_SECONDS + RETRY_SECONDS)
    assert reason(owners) == "pid_namespace", "it is still open"


def test_the_first_search_tells_of_an_obstacle(host: FakeHost, owners: OwnerSearch) -> None:
    host.in_pid_namespace = True
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert reason(owners) == "pid_namespace"


def test_a_process_that_protects_itself_is_counted_and_no_obstacle(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.may_see_sockets = True
    host.denied = {11}
    host.run(11, b"protected", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert (reason(owners), owners.unreadable_count, owners.count_without_owner()) == (None, 1, 1)


def test_there_is_no_obstacle_where_every_process_was_read(owners: OwnerSearch) -> None:
    """The kernel itself has sockets, as those of NFS."""
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert (owners.count_without_owner(), reason(owners)) == (1, None)


@pytest.mark.parametrize("may_see_sockets", [True, False])
def test_processes_that_are_not_listed_are_an_obstacle(
    host: FakeHost, owners: OwnerSearch, *, may_see_sockets: bool
) -> None:
    """With hidepid=2 there is no process 1, and nothing is denied; a PID namespace has only its own."""
    host.may_see_sockets = may_see_sockets
    host.hides_init = True
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert reason(owners) == "hidepid"
    host.hides_init = False
    host.in_pid_namespace = True
    search(owners, RETRY_SECONDS)
    assert reason(owners) == "pid_namespace"


def test_a_socket_counts_as_searched_after_one_search(owners: OwnerSearch) -> None:
    """Inode 0 is never searched for."""
    assert not owners.searched(77)
    assert owners.searched(0)
    owners.set_sockets(without_cgroup(77), 0.0)
    assert not owners.searched(77)
    search(owners)
    assert owners.searched(77)


def test_what_was_known_of_closed_sockets_is_forgotten(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"python3", 1)
    owners.set_sockets([replace(tcp(1, inode=1), uid=5)], 0.0)
    search(owners)
    assert host.arguments.retained == {python_process(10)}
    assert host.process_users.retained == {UserOfProcess(10, 10, 5)}
    owners.set_sockets([], 1.0)
    assert (host.arguments.retained, host.process_users.retained) == (set(), set())


def test_the_path_of_a_closed_socket_is_forgotten(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"web", 1)
    owners.set_sockets([unix(1, b"/run/x", inode=1, file=FileId(3, 4))], 0.0)
    search(owners)
    assert host.socket_files.retained == {HeldSocket(10, 10, BoundSocket(b"/run/x", 3, 4))}
    owners.set_sockets([], 1.0)
    assert host.socket_files.retained == set()


def test_a_socket_that_closes_while_something_of_it_is_looked_up_is_forgotten(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(10, b"web", 1)
    host.host_users.pending.add(5)
    owners.set_sockets([replace(tcp(1, inode=1), uid=5)], 0.0)
    search(owners)
    owners.set_sockets([], 1.0)
    host.host_users.pending.clear()
    host.host_users.version += 1
    assert not owners.pending(2.0)
    assert owners.take_changed() == set()


def test_no_search_is_made_for_a_held_socket_that_closed(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(1, b"systemd", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    owners.set_sockets([], 1.0)
    assert not owners.pending(1000.0)


def test_new_processes_are_not_looked_at_for_a_held_socket_whose_holder_has_ended(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """All are, a few times and then seldom, as for every socket without an owner."""
    host.run(10, b"supervisord", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.processes.clear()
    for number in range(MAX_SEARCHES):
        search(owners, LOOK_SECONDS + number * RETRY_SECONDS)
    last = LOOK_SECONDS + (MAX_SEARCHES - 1) * RETRY_SECONDS
    assert not owners.pending(last + FIRST_PAUSE_SECONDS - 0.1)


def test_new_processes_are_not_looked_at_once_a_program_serves(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(1, b"systemd", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    host.run(20, b"shopd", 1)
    search(owners, LOOK_SECONDS)
    assert process_of(owners, 1) == "shopd", "it started after the search of all"
    listed = host.full_searches
    for number in range(2, 20):
        search(owners, number * LOOK_SECONDS)
    assert host.full_searches == listed


def test_a_listener_waits_for_the_path_of_its_file(host: FakeHost, owners: OwnerSearch) -> None:
    listener = unix(1, b"x", inode=1, file=FileId(3, 4))
    host.run(10, b"web", 1)
    host.socket_files.pending.add(HeldSocket(10, 10, BoundSocket(b"x", 3, 4)))
    owners.set_sockets([listener], 0.0)
    search(owners)
    assert owners.owners_of([listener]) == {}
    host.socket_files.pending.clear()
    host.socket_files.version += 1
    owners.pending(0.1)
    assert owners.owners_of([listener])[1].owner.process == "web"


def test_many_sockets_are_not_looked_at_each_time_that_one_answer_comes(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """That would keep the thread that looks the others up from running."""
    inodes = range(1, 301)
    host.run(10, b"app", *inodes)
    listeners = [unix(inode, b"/run/%d" % inode, inode=inode, file=FileId(3, inode)) for inode in inodes]
    held = {inode: HeldSocket(10, 10, BoundSocket(b"/run/%d" % inode, 3, inode)) for inode in inodes}
    host.socket_files.pending.update(held.values())
    owners.set_sockets(listeners, 0.0)
    search(owners)
    host.socket_files.looks = 0
    for inode in inodes:
        host.socket_files.pending.remove(held[inode])
        host.socket_files.version += 1
        owners.pending(inode / 3000)
    assert host.socket_files.looks < 20 * len(inodes)
    owners.pending(0.2)
    assert owners.take_changed() == set(inodes)


def test_what_an_owner_is_called_is_asked_once_for_all_of_its_sockets(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """A start beside thousands of sockets would take its time otherwise."""
    inodes = range(1, 301)
    host.run(10, b"python3", *inodes)
    host.arguments.answers[ProcessId(10, 10, b"python3")] = (b"python3", b"/srv/app.py")
    listeners = [unix(inode, b"/run/%d" % inode, inode=inode, file=FileId(3, inode)) for inode in inodes]
    owners.set_sockets(listeners, 0.0)
    search(owners)
    found = owners.owners_of(listeners)
    assert {found[inode].owner.process for inode in inodes} == {"app.py"}
    assert len({id(found[inode].owner) for inode in inodes}) == 1
    assert host.arguments.looks < 10
    assert host.socket_files.looks >= len(inodes)


def test_process_1_holds_for_others_whatever_its_name(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(1, b"my-init", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert process_of(owners, 1) == "my-init"
    host.run(20, b"shopd", 1)
    search(owners, LOOK_SECONDS)
    assert process_of(owners, 1) == "shopd"


def test_other_answers_are_given_once_a_second(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(10, b"web", 1)
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    owners.take_changed()
    given = []
    for tenths in range(1, 31):
        host.host_users.version += 1
        owners.pending(tenths / 10)
        given.append(owners.take_changed() == {1})
    assert sum(given) == 3


def test_only_a_socket_that_no_search_has_sought_is_urgent(host: FakeHost, owners: OwnerSearch) -> None:
    urgent = [owners.urgent]
    owners.set_sockets(without_cgroup(1, 2), 0.0)
    urgent.append(owners.urgent)
    host.run(10, b"web", 1)
    search(owners)
    assert (process_of(owners, 1), owners.count_without_owner()) == ("web", 1)
    urgent.append(owners.urgent)
    owners.set_sockets(without_cgroup(1, 2, 3), 1.0)
    urgent.append(owners.urgent)
    assert urgent == [False, True, False, True], "the second was looked for"


def test_all_processes_are_searched_for_a_new_socket_before_more_known_owners_are_looked_at(
    host: FakeHost, owners: OwnerSearch
) -> None:
    pids = range(10, 60)
    for pid in pids:
        host.run(pid, b"web", pid)
    owners.set_sockets(without_cgroup(*pids), 0.0)
    search(owners)
    assert owners.pending(LOOK_SECONDS)
    owners.step(LOOK_SECONDS, lambda: True)
    host.run(59, b"web", 59, 100)
    owners.set_sockets(without_cgroup(*pids, 100), LOOK_SECONDS)
    host.read_pids.clear()
    while not process_of(owners, 100):
        owners.step(LOOK_SECONDS, lambda: True)
    assert host.read_pids[: len(pids)] == list(pids)


def test_where_it_takes_long_to_look_at_known_owners_others_are_searched_for_in_between(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """Each time it is due again before it has ended."""
    host.hides_init = True
    for pid in range(10, 60):
        host.run(pid, b"web", pid)
    owners.set_sockets(without_cgroup(1, *range(10, 60)), 0.0)
    search(owners)
    searches = host.full_searches
    for number in range(1, 201):
        now = number * LOOK_SECONDS
        assert owners.pending(now)
        owners.step(now, lambda: True)
        if host.full_searches > searches:
            break
    assert host.full_searches > searches
