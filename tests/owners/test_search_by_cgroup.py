"""A socket that tells in which cgroup it was made: who is there is looked into first."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.owners.search import OwnerSearch
from tests.owners.fake_host import Host, group_of, look, owner_of, unhinted, whole_owner

WEB, SHOP = 4711, 4712
WEB_PATH, SHOP_PATH = b"/system.slice/web.service", b"/system.slice/shop.service"
AGAIN_SECONDS = 5.0


@pytest.fixture(autouse=True)
def services(host: Host) -> None:
    """Two services, of which one has a socket, and a lot of others."""
    host.tree.paths = {1: b"/", WEB: WEB_PATH, SHOP: SHOP_PATH}
    for pid in range(100, 150):
        host.run(pid, b"other")
    host.run(20, b"web", 1, cgroup=WEB_PATH)
    host.run(21, b"web-worker", 1, cgroup=WEB_PATH)


def test_nobody_else_is_looked_into(host: Host, owners: OwnerSearch) -> None:
    owners.want({1: WEB}, 0.0)
    look(owners)
    assert whole_owner(owners, 1) == Owner(
        process="web", unit="web.service", slice="system.slice", cgroup="/system.slice/web.service"
    )
    assert host.walks == 0
    assert set(host.looked_into) == {20, 21}
    assert not owners.pending(1000.0)


@pytest.mark.parametrize("cgroup_id", [0, 1, 9999])
def test_a_cgroup_that_tells_nothing_takes_a_walk(host: Host, owners: OwnerSearch, cgroup_id: int) -> None:
    """Not told, the root, and one whose directory is gone."""
    owners.want({1: cgroup_id}, 0.0)
    look(owners)
    assert (owner_of(owners, 1), host.walks) == ("web", 1)


def test_without_a_tree_it_takes_a_walk(host: Host, owners: OwnerSearch) -> None:
    host.tree.available = False
    owners.want({1: WEB}, 0.0)
    look(owners)
    assert (owner_of(owners, 1), host.walks) == ("web", 1)


def test_a_socket_that_went_to_another_cgroup_is_found_there_by_a_walk(
    host: Host, owners: OwnerSearch
) -> None:
    """As systemd's own sockets do: the process decides where it runs."""
    owners.want({1: SHOP}, 0.0)
    look(owners)
    assert (whole_owner(owners, 1, cgroup_id=SHOP).unit, host.walks) == ("web.service", 1)


def test_process_1_is_no_answer_before_all_others_were_asked(host: Host, owners: OwnerSearch) -> None:
    host.tree.paths[5000] = b"/init.scope"
    host.run(1, b"systemd", 1, 2, cgroup=b"/init.scope", started=0)
    owners.want({1: 5000, 2: 5000}, 0.0)
    look(owners)
    assert (owner_of(owners, 1), owner_of(owners, 2)) == ("web", "systemd")


def test_where_no_process_may_be_seen_the_cgroup_tells_the_unit(host: Host, owners: OwnerSearch) -> None:
    host.denied = set(host.processes)
    owners.want({1: WEB}, 0.0)
    assert whole_owner(owners, 1, cgroup_id=WEB) == UNKNOWN_OWNER
    look(owners)
    assert whole_owner(owners, 1, cgroup_id=WEB) == Owner(
        unit="web.service", slice="system.slice", cgroup="/system.slice/web.service"
    )
    assert (owners.unseen(), owners.blind) == (1, True)


def test_what_a_directory_told_is_kept_while_the_socket_lives(host: Host, owners: OwnerSearch) -> None:
    host.denied = set(host.processes)
    owners.want({1: WEB}, 0.0)
    look(owners)
    del host.tree.paths[WEB]
    owners.want({1: WEB, 2: SHOP}, 10.0)
    look(owners, 10.0)
    assert whole_owner(owners, 1, cgroup_id=WEB).unit == "web.service"
    owners.want({2: SHOP}, 20.0)
    assert whole_owner(owners, 1, cgroup_id=WEB).unit == ""


def test_a_process_whose_cgroup_may_not_be_read_is_where_the_socket_was_made(
    host: Host, owners: OwnerSearch
) -> None:
    host.run(22, b"shy", 2, cgroup=None)
    host.tree.members[SHOP_PATH] = [22]
    owners.want({2: SHOP}, 0.0)
    look(owners)
    assert (whole_owner(owners, 2).process, whole_owner(owners, 2).unit) == ("shy", "shop.service")


def test_a_walk_that_is_under_way_waits_for_a_near_look(host: Host, owners: OwnerSearch) -> None:
    """A container that starts has its name at once, however many processes there are."""
    host.run(150, b"late", 9)
    owners.want(unhinted(9), 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.want({9: 0, 1: WEB}, 0.1)
    steps = 1
    while not owners.step(0.1, lambda: True):
        steps += 1
    assert owner_of(owners, 1) == "web"
    assert owner_of(owners, 9) == ""
    assert steps < 20
    assert owners.looked_for(group_of(1))
    assert not owners.looked_for(group_of(1, 9))
    look(owners, 0.1)
    assert (owner_of(owners, 9), host.walks) == ("late", 1)
    assert owners.looked_for(group_of(1, 9))


def test_who_was_sought_in_vain_was_looked_for_and_who_is_new_was_not(owners: OwnerSearch) -> None:
    assert not owners.looked_for(group_of(77))
    assert owners.looked_for(group_of(0))
    owners.want(unhinted(77), 0.0)
    assert not owners.looked_for(group_of(77))
    look(owners)
    assert owners.looked_for(group_of(77))


def test_a_near_look_that_fails_leaves_it_to_the_walk(host: Host, owners: OwnerSearch) -> None:
    def fail(_: int) -> None:
        raise KernelError("cannot read /proc/20/fd", "EMFILE")

    host.on_look = fail
    owners.want({1: WEB}, 0.0)
    for _ in range(2):
        with pytest.raises(KernelError):
            owners.step(0.0, lambda: False)
    assert not owners.pending(AGAIN_SECONDS - 0.1), "an error is no reason to try without a pause"
    host.on_look = lambda _pid: None
    look(owners, AGAIN_SECONDS)
    assert owner_of(owners, 1) == "web"


def test_sockets_of_several_namespaces_are_told_apart_by_their_inodes(
    host: Host, owners: OwnerSearch
) -> None:
    host.run(30, b"shop", 2, cgroup=SHOP_PATH)
    owners.want({1: WEB, 2: SHOP}, 0.0)
    look(owners)
    assert [whole_owner(owners, inode).unit for inode in (1, 2)] == ["web.service", "shop.service"]


def test_a_number_that_goes_to_another_process_gives_no_name(host: Host, owners: OwnerSearch) -> None:
    """The pid comes back between the look at the descriptors and the look at the name."""

    def reuse(pid: int) -> None:
        if host.looked_into.count(20) == 2 and pid == 20:
            host.run(20, b"stranger", 1, started=9999, cgroup=SHOP_PATH)

    host.on_look = reuse
    del host.processes[21]
    owners.want({1: WEB}, 0.0)
    look(owners)
    assert whole_owner(owners, 1).process == "stranger", "found by the walk, as who it is then"
    assert whole_owner(owners, 1).unit == "shop.service"
    assert host.walks == 1


def test_a_socket_that_was_handed_on_gives_no_name_of_who_had_it(host: Host, owners: OwnerSearch) -> None:
    def close(pid: int) -> None:
        if host.looked_into.count(20) == 2 and pid == 20:
            host.run(20, b"web", cgroup=WEB_PATH)

    host.on_look = close
    owners.want({1: WEB}, 0.0)
    look(owners)
    assert owner_of(owners, 1) == "web-worker"


def test_a_process_keeps_the_name_it_was_found_with(host: Host, owners: OwnerSearch) -> None:
    owners.want({1: WEB}, 0.0)
    look(owners)
    host.run(20, b"renamed", 1, cgroup=WEB_PATH)
    owners.want({1: WEB, 2: 0}, 1.0)
    look(owners, 1.0)
    assert owner_of(owners, 1) == "web"
