"""Search for the owner of a socket that has the id of a cgroup: the processes of that cgroup come first."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.owners.search import OwnerSearch
from tests.owners.fake_host import (
    FakeHost,
    in_cgroups,
    owner_of,
    process_of,
    search,
    without_cgroup,
)

WEB, SHOP = 4711, 4712
WEB_PATH, SHOP_PATH = b"/system.slice/web.service", b"/system.slice/shop.service"
RETRY_SECONDS = 5.0


@pytest.fixture(autouse=True)
def services(host: FakeHost) -> None:
    """Two services, one of which has a socket, and fifty other processes."""
    host.cgroups.paths = {1: b"/", WEB: WEB_PATH, SHOP: SHOP_PATH}
    for pid in range(100, 150):
        host.run(pid, b"other")
    host.run(20, b"web", 1, cgroup=WEB_PATH)
    host.run(21, b"web-worker", 1, cgroup=WEB_PATH)


def test_no_process_outside_the_cgroup_is_read(host: FakeHost, owners: OwnerSearch) -> None:
    owners.set_sockets(in_cgroups({1: WEB}), 0.0)
    search(owners)
    assert owner_of(owners, 1) == Owner(
        process="web",
        command="web",
        unit="web.service",
        slice="system.slice",
        cgroup="/system.slice/web.service",
    )
    assert host.full_searches == 0
    assert set(host.read_pids) == {20, 21}


@pytest.mark.parametrize("cgroup_id", [0, 1, 9999])
def test_full_search_where_the_cgroup_is_unknown(host: FakeHost, owners: OwnerSearch, cgroup_id: int) -> None:
    """No id, that of the root, and that of a cgroup that was removed."""
    owners.set_sockets(in_cgroups({1: cgroup_id}), 0.0)
    search(owners)
    assert (process_of(owners, 1), host.full_searches) == ("web", 1)
    assert host.read_pids.count(100) == 1, "the root is not searched before"


def test_full_search_where_there_are_no_cgroups_of_version_2(host: FakeHost, owners: OwnerSearch) -> None:
    host.cgroups.available = False
    owners.set_sockets(in_cgroups({1: WEB}), 0.0)
    search(owners)
    assert (process_of(owners, 1), host.full_searches) == ("web", 1)


def test_full_search_where_the_holder_is_in_another_cgroup(host: FakeHost, owners: OwnerSearch) -> None:
    """As with sockets that systemd opens: unit and container are those of the process."""
    owners.set_sockets(in_cgroups({1: SHOP}), 0.0)
    search(owners)
    assert (owner_of(owners, 1, cgroup_id=SHOP).unit, host.full_searches) == ("web.service", 1)


def test_process_1_is_the_owner_only_after_a_full_search(host: FakeHost, owners: OwnerSearch) -> None:
    host.cgroups.paths[5000] = b"/init.scope"
    host.run(1, b"systemd", 1, 2, cgroup=b"/init.scope", started=0)
    owners.set_sockets(in_cgroups({1: 5000, 2: 5000}), 0.0)
    search(owners)
    assert (process_of(owners, 1), process_of(owners, 2)) == ("web", "systemd")


def test_unit_is_that_of_the_socket_where_only_systemd_holds_it(host: FakeHost, owners: OwnerSearch) -> None:
    """That tells which service does not serve it; init.scope is the same for all of them."""
    host.cgroups.paths[5000] = b"/system.slice/shop.socket"
    host.run(1, b"systemd", 3, cgroup=b"/init.scope", started=0)
    owners.set_sockets(in_cgroups({3: 5000}), 0.0)
    search(owners)
    owner = owner_of(owners, 3, 5000)
    assert (owner.process, owner.unit) == ("systemd", "shop.socket")
    host.run(30, b"shopd", 3, cgroup=SHOP_PATH)
    search(owners, 3 * RETRY_SECONDS)
    owner = owner_of(owners, 3, 5000)
    assert (owner.process, owner.unit) == ("shopd", "shop.service")


def test_unit_is_that_of_the_cgroup_where_no_process_can_be_read(host: FakeHost, owners: OwnerSearch) -> None:
    host.denied = set(host.processes)
    owners.set_sockets(in_cgroups({1: WEB}), 0.0)
    assert owner_of(owners, 1, cgroup_id=WEB) == UNKNOWN_OWNER
    search(owners)
    assert owner_of(owners, 1, cgroup_id=WEB) == Owner(
        unit="web.service", slice="system.slice", cgroup="/system.slice/web.service"
    )
    assert owners.count_without_owner() == 1
    assert owners.obstacle is not None


def test_unit_of_a_removed_cgroup_is_kept_while_the_socket_listens(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.denied = set(host.processes)
    owners.set_sockets(in_cgroups({1: WEB}), 0.0)
    search(owners)
    del host.cgroups.paths[WEB]
    owners.set_sockets(in_cgroups({1: WEB, 2: SHOP}), 10.0)
    search(owners, 10.0)
    assert owner_of(owners, 1, cgroup_id=WEB).unit == "web.service"
    owners.set_sockets(in_cgroups({2: SHOP}), 20.0)
    assert owner_of(owners, 1, cgroup_id=WEB).unit == ""


def test_unit_is_that_of_the_socket_where_the_cgroup_of_its_process_cannot_be_read(
    host: FakeHost, owners: OwnerSearch
) -> None:
    host.run(22, b"app", 2, cgroup=None)
    host.cgroups.members[SHOP_PATH] = [22]
    owners.set_sockets(in_cgroups({2: SHOP}), 0.0)
    search(owners)
    assert (owner_of(owners, 2).process, owner_of(owners, 2).unit) == ("app", "shop.service")


def test_a_full_search_is_interrupted_by_the_search_of_a_cgroup(host: FakeHost, owners: OwnerSearch) -> None:
    """The owner of a container that starts is known at once, however many processes there are."""
    host.run(150, b"late", 9)
    owners.set_sockets(without_cgroup(9), 0.0)
    assert not owners.step(0.0, lambda: True)
    owners.set_sockets(in_cgroups({9: 0, 1: WEB}), 0.1)
    steps = 1
    while not owners.step(0.1, lambda: True):
        steps += 1
    assert process_of(owners, 1) == "web"
    assert process_of(owners, 9) == ""
    assert steps < 20
    assert (owners.searched(1), owners.searched(9)) == (True, False)
    search(owners, 0.1)
    assert (process_of(owners, 9), host.full_searches) == ("late", 1)
    assert owners.searched(9)


def test_after_an_error_the_full_search_waits(host: FakeHost, owners: OwnerSearch) -> None:
    def fail(_pid: int) -> None:
        raise KernelError("cannot read /proc/20/fd", "EMFILE")

    host.before_read = fail
    owners.set_sockets(in_cgroups({1: WEB}), 0.0)
    for _ in range(2):
        with pytest.raises(KernelError):
            owners.step(0.0, lambda: False)
    assert not owners.pending(RETRY_SECONDS - 0.1)
    host.before_read = lambda _pid: None
    search(owners, RETRY_SECONDS)
    assert process_of(owners, 1) == "web"


def test_sockets_of_different_cgroups(host: FakeHost, owners: OwnerSearch) -> None:
    host.run(30, b"shop", 2, cgroup=SHOP_PATH)
    owners.set_sockets(in_cgroups({1: WEB, 2: SHOP}), 0.0)
    search(owners)
    assert [owner_of(owners, inode).unit for inode in (1, 2)] == ["web.service", "shop.service"]


def test_an_owner_that_cannot_be_told_apart_is_found_by_the_full_search(
    host: FakeHost, owners: OwnerSearch
) -> None:
    """Its pid is taken over while the cgroup is searched."""

    def reuse(pid: int) -> None:
        if pid == 20 and host.read_pids.count(20) == 2:
            host.run(20, b"another", 1, started=9999, cgroup=SHOP_PATH)

    host.before_read = reuse
    del host.processes[21]
    owners.set_sockets(in_cgroups({1: WEB}), 0.0)
    search(owners)
    assert owner_of(owners, 1).process == "another"
    assert owner_of(owners, 1).unit == "shop.service"
    assert host.full_searches == 1


def test_a_process_that_changes_its_name_keeps_the_first(host: FakeHost, owners: OwnerSearch) -> None:
    owners.set_sockets(in_cgroups({1: WEB}), 0.0)
    search(owners)
    host.run(20, b"renamed", 1, cgroup=WEB_PATH)
    owners.set_sockets(in_cgroups({1: WEB, 2: 0}), 1.0)
    search(owners, 1.0)
    assert process_of(owners, 1) == "web"
