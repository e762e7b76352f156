"""Sockets that are put where their owners tell that they belong."""

from __future__ import annotations

import pytest

from exporter.kernel.records import Changes, FileId, Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.listeners.registry import REMEMBER_SECONDS, GroupIdentity, ListenerRegistry
from tests.listeners.sockets import reading, tcp, unix

FIRST, SECOND = FileId(1, 1), FileId(1, 2)


@pytest.fixture
def registry() -> ListenerRegistry:
    return ListenerRegistry("host", "tcp")


def opened(registry: ListenerRegistry, *listeners: Listener, now: float = 0.0) -> list[ListenerGroup]:
    """Let these sockets open, and return the groups that they are in."""
    registry.apply(Changes(opened=tuple((each, reading(each.cookie)) for each in listeners)), now)
    of = {listener.cookie: group for listener, group in registry.listeners()}
    return [of[each.cookie] for each in listeners]


def assign(registry: ListenerRegistry, group: ListenerGroup, **programs: str) -> dict[str, ListenerGroup]:
    """Say which program has each socket, `c1` that with the cookie 1, and return the groups by program."""
    identities = {int(cookie[1:]): GroupIdentity(group.key, program) for cookie, program in programs.items()}
    registry.assign(group, identities, 0.0)
    return groups(registry)


def groups(registry: ListenerRegistry) -> dict[str, ListenerGroup]:
    """The groups that have a socket, by their programs."""
    return {group.program: group for _, group in registry.listeners()}


def test_a_group_gets_the_program_of_its_sockets_and_stays(registry: ListenerRegistry) -> None:
    (group, _) = opened(registry, tcp(1), tcp(2))
    assert registry.assign(group, {1: GroupIdentity(group.key, "web")}, 0.0) == [group]
    assert (group.program, set(group.members)) == ("web", {1, 2})


def test_the_identity_that_is_named_first_is_that_of_the_group(registry: ListenerRegistry) -> None:
    (group, _, _) = opened(registry, tcp(1), tcp(2), tcp(3))
    found = assign(registry, group, c2="web", c1="hung", c3="web")
    assert found["web"] is group
    assert {program: set(each.members) for program, each in found.items()} == {"web": {2, 3}, "hung": {1}}


def test_sockets_of_no_program_stay_in_their_group(registry: ListenerRegistry) -> None:
    (group, _) = opened(registry, tcp(1), tcp(2))
    found = assign(registry, group, c2="web", c1="")
    assert found[""] is group
    assert {program: set(each.members) for program, each in found.items()} == {"web": {2}, "": {1}}
    assert assign(registry, found["web"], c2="web") == found, "nothing has changed"


def test_a_socket_of_no_program_leaves_the_group_of_one(registry: ListenerRegistry) -> None:
    (group, _) = opened(registry, tcp(1), tcp(2))
    assign(registry, group, c1="web")
    found = assign(registry, group, c1="web", c2="")
    assert found["web"] is group
    assert set(found[""].members) == {2}


def test_a_socket_that_closed_meanwhile_is_left_out(registry: ListenerRegistry) -> None:
    (group,) = opened(registry, tcp(1))
    assert assign(registry, group, c7="gone", c1="web") == {"web": group}


def test_a_socket_of_a_known_program_joins_its_group(registry: ListenerRegistry) -> None:
    (group,) = opened(registry, tcp(1))
    assign(registry, group, c1="web")
    (joined,) = opened(registry, tcp(2))
    assert joined is group, "there is one, and its program is not known yet"
    found = assign(registry, group, c2="other")
    assert set(found["other"].members) == {2}
    (undecided,) = opened(registry, tcp(3))
    assert undecided.program == "", "of two groups none is the likely one"
    assert assign(registry, undecided, c3="web")["web"] is group
    assert set(group.members) == {1, 3}
    assert undecided not in registry.present(group.key)


def test_sockets_whose_program_is_not_known_wait_in_one_group(registry: ListenerRegistry) -> None:
    (group, _) = opened(registry, tcp(1), tcp(2))
    assign(registry, group, c1="web", c2="other")
    waiting = opened(registry, tcp(3), tcp(4))
    assert waiting[0] is waiting[1]
    assert waiting[0].program == ""


def test_another_program_at_a_socket_is_another_group(registry: ListenerRegistry) -> None:
    """The first one is closed, and goes on where it gets a socket again."""
    (group,) = opened(registry, tcp(1))
    assign(registry, group, c1="systemd")
    found = assign(registry, group, c1="shopd")
    assert found["shopd"] is not group
    assert registry.present(group.key) == [found["shopd"]]
    assert assign(registry, found["shopd"], c1="systemd") == {"systemd": group}
    assert registry.expire(REMEMBER_SECONDS + 1) == [found["shopd"]]
    assert registry.expire(REMEMBER_SECONDS + 1) == []


def test_a_service_that_restarts_goes_on_with_its_group(registry: ListenerRegistry) -> None:
    """With the one of its program that closed last, and not with that of another program."""
    (group, _) = opened(registry, tcp(1), tcp(2))
    found = assign(registry, group, c1="web", c2="other")
    registry.apply(Changes(closed=(1,)), 1.0)
    registry.apply(Changes(closed=(2,)), 2.0)
    (again,) = opened(registry, tcp(3), now=3.0)
    assert again.program == "", "it may be any program's"
    assert assign(registry, again, c3="web") == {"web": found["web"]}
    assert registry.present(group.key) == [found["web"]]


def test_a_group_that_closed_is_not_taken_while_others_are_open(registry: ListenerRegistry) -> None:
    (group, _, _) = opened(registry, tcp(1), tcp(2), tcp(3))
    found = assign(registry, group, c1="web", c2="other", c3="gone")
    registry.apply(Changes(closed=(3,)), 1.0)
    (new,) = opened(registry, tcp(4), now=2.0)
    assert new not in found.values()


def test_unix_sockets_with_one_path_and_two_files_are_two_groups() -> None:
    registry = ListenerRegistry("host", "unix")
    one, two = opened(registry, unix(1, b"x", file=FIRST), unix(2, b"x", file=SECOND))
    assert one is not two
    for group, cookie in ((one, "c1"), (two, "c2")):
        assign(registry, group, **{cookie: "web"})
    assert registry.present(one.key) == [one, two]


def test_of_closed_groups_of_one_program_the_one_that_closed_last_goes_on() -> None:
    registry = ListenerRegistry("host", "unix")
    one, two = opened(registry, unix(1, b"x", file=FIRST), unix(2, b"x", file=SECOND))
    for group, cookie in ((one, "c1"), (two, "c2")):
        assign(registry, group, **{cookie: "web"})
    registry.apply(Changes(closed=(1,)), 1.0)
    registry.apply(Changes(closed=(2,)), 2.0)
    (waiting,) = opened(registry, unix(4, b"y", file=FileId(1, 4)), now=3.0)
    registry.assign(waiting, {4: GroupIdentity(one.key, "web")}, 3.0)
    assert groups(registry)["web"] is two


def test_a_socket_is_moved_to_the_key_of_its_path() -> None:
    """A relative path is known when its owner is found, and the group of the path before is gone."""
    registry = ListenerRegistry("host", "unix")
    (group,) = opened(registry, unix(1, b"x", file=FIRST))
    before = group.key
    after = before._replace(address="/srv/x")
    assert registry.assign(group, {1: GroupIdentity(after, "web")}, 0.0) == [group]
    assert (group.key, registry.present(before), registry.present(after)) == (after, [], [group])
    (second,) = opened(registry, unix(2, b"x", file=SECOND))
    assert second.key == before
    moved = registry.assign(second, {2: GroupIdentity(after, "web")}, 0.0)
    assert registry.present(after) == [group, *moved]


def test_a_key_without_groups_is_forgotten(registry: ListenerRegistry) -> None:
    listener = tcp(1)
    (group,) = opened(registry, listener)
    registry.apply(Changes(closed=(1,)), 0.0)
    assert registry.present(key_of(listener, "host", "tcp")) == []
    assert registry.expire(REMEMBER_SECONDS + 1) == [group]
    (again,) = opened(registry, listener)
    assert again is not group
