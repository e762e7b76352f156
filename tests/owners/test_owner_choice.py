"""Which of those who hold a socket is its owner, and how the owner is called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.kernel.records import Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.owners.search import OwnerSearch
from tests.listeners.sockets import reading, tcp
from tests.owners.fake_host import Host, look, owner_of, unhinted


def test_of_several_processes_the_first_to_start_is_the_owner(host: Host, owners: OwnerSearch) -> None:
    """A master before its workers, whatever order the walk has and however pids were given."""
    host.run(30, b"worker", 1, started=300)
    host.run(90, b"master", 1, started=100)
    host.run(40, b"worker", 1, started=400)
    owners.want(unhinted(1), 0.0)
    look(owners)
    assert owner_of(owners, 1) == "master"


def test_process_1_owns_what_nobody_else_has(host: Host, owners: OwnerSearch) -> None:
    """systemd opens sockets for services and keeps them; the service is who accepts."""
    host.run(1, b"systemd", 1, 2, started=0)
    host.run(50, b"cupsd", 1)
    owners.want(unhinted(1, 2), 0.0)
    look(owners)
    assert (owner_of(owners, 1), owner_of(owners, 2)) == ("cupsd", "systemd")


def test_owner_of_a_group_is_the_first_to_start_of_its_sockets_owners(
    host: Host, owners: OwnerSearch
) -> None:
    host.run(7, b"new", 1, started=900)
    host.run(8, b"old", 2, started=100)
    owners.want(unhinted(1, 2), 0.0)
    look(owners)
    assert owner_of(owners, 1, 2) == "old"


def test_name_is_made_printable(host: Host, owners: OwnerSearch) -> None:
    host.run(10, b'a"b\n\xff\\', 1)
    owners.want(unhinted(1), 0.0)
    look(owners)
    assert owner_of(owners, 1) == r'a"b\x0a\xff\x5c'


def owner_with_uid(owners: OwnerSearch, uid: int | None) -> Owner:
    listener: Listener = replace(tcp(1), uid=uid)
    group = ListenerGroup(key_of(listener, "host", "tcp"))
    group.open(listener, reading(1))
    return owners.of(group)


def test_user_is_known_without_any_process(owners: OwnerSearch) -> None:
    assert owner_with_uid(owners, 0) == Owner(user="root")
    assert owner_with_uid(owners, 4_000_000_001) == Owner(user="4000000001")
    assert owner_with_uid(owners, None) == UNKNOWN_OWNER


def test_user_name_that_is_no_text_is_made_printable(
    owners: OwnerSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passwd file may hold any byte, and a page may not."""
    monkeypatch.setattr("exporter.owners.search.user_name", lambda _uid: "j\udcf6rg\\")
    assert owner_with_uid(owners, 5).user == r"j\xf6rg\x5c"
