"""The listeners of a namespace, and those that closed lately."""

from __future__ import annotations

import pytest

from exporter.kernel.records import Changes, Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.registry import MAX_CLOSED, ListenerRegistry
from tests.listeners.sockets import reading, tcp, unix

FIVE_MINUTES = 300.0


def present(registry: ListenerRegistry) -> list[ListenerGroup]:
    """Return the groups that have a socket."""
    return list(dict.fromkeys(group for _, group in registry.listeners()))


def opened(*listeners: Listener, drops: int | None = None) -> Changes:
    return Changes(opened=tuple((each, reading(each.cookie, drops=drops)) for each in listeners))


def closed(*cookies: int) -> Changes:
    return Changes(closed=cookies)


@pytest.fixture
def registry() -> ListenerRegistry:
    return ListenerRegistry("host", "tcp")


def names(groups: list[ListenerGroup]) -> list[str]:
    return [group.key.address + ":" + group.key.port for group in groups]


def test_sockets_on_one_address_are_one_group(registry: ListenerRegistry) -> None:
    (group,) = registry.apply(opened(tcp(1), tcp(2)), 0.0)
    assert set(group.members) == {1, 2}
    assert present(registry) == [group]
    assert [(listener.cookie, of) for listener, of in registry.listeners()] == [(1, group), (2, group)]


def test_only_groups_that_changed_are_returned(registry: ListenerRegistry) -> None:
    """There may be ten thousand others."""
    registry.apply(opened(tcp(1, port=80), tcp(2, port=81), tcp(3, port=82)), 0.0)
    changed = registry.apply(
        Changes(opened=((tcp(4, port=83), reading(4)),), updated=(reading(1, 5),), closed=(2,)), 1.0
    )
    assert sorted(names(changed)) == ["0.0.0.0:80", "0.0.0.0:81", "0.0.0.0:83"]
    assert registry.apply(Changes(), 2.0) == []


def test_group_that_changed_twice_is_returned_once(registry: ListenerRegistry) -> None:
    """A histogram takes one observation a sample."""
    registry.apply(opened(tcp(1), tcp(2), tcp(3)), 0.0)
    changes = Changes(opened=((tcp(4), reading(4, 1)),), updated=(reading(1, 5), reading(3, 5)), closed=(2,))
    (group,) = registry.apply(changes, 1.0)
    assert group.length == 11


def test_a_group_whose_socket_is_replaced_between_two_samples_stays(registry: ListenerRegistry) -> None:
    """As when a service restarts."""
    (group,) = registry.apply(opened(tcp(1), drops=5), 0.0)
    changes = Changes(opened=((tcp(2), reading(2, drops=1)),), closed=(1,))
    assert registry.apply(changes, 1.0) == [group]
    assert registry.expire(1.0 + 2 * FIVE_MINUTES) == []
    assert (set(group.members), group.drops) == ({2}, 6)


def test_a_listener_that_opens_again_in_time_continues(registry: ListenerRegistry) -> None:
    (group,) = registry.apply(opened(unix(1), drops=5), 0.0)
    registry.apply(closed(1), 10.0)
    assert present(registry) == []
    assert registry.expire(10.0 + FIVE_MINUTES) == []
    assert registry.apply(opened(unix(2), drops=0), 10.0 + FIVE_MINUTES) == [group]
    assert group.drops == 5


def test_a_listener_that_stays_closed_expires(registry: ListenerRegistry) -> None:
    (group,) = registry.apply(opened(tcp(1), drops=5), 0.0)
    registry.apply(closed(1), 10.0)
    assert registry.expire(10.1 + FIVE_MINUTES) == [group]
    assert registry.expire(10.2 + FIVE_MINUTES) == []
    (again,) = registry.apply(opened(tcp(2), drops=0), 11.0 + FIVE_MINUTES)
    assert again is not group
    assert again.drops == 0


def test_five_minutes_begin_anew_with_each_closing(registry: ListenerRegistry) -> None:
    registry.apply(opened(tcp(1, port=80), tcp(2, port=81)), 0.0)
    registry.apply(closed(1), 10.0)
    registry.apply(closed(2), 20.0)
    registry.apply(opened(tcp(3, port=80)), 30.0)
    registry.apply(closed(3), 40.0)
    assert names(registry.expire(25.0 + FIVE_MINUTES)) == ["0.0.0.0:81"]
    assert names(registry.expire(35.0 + FIVE_MINUTES)) == []
    assert names(registry.expire(45.0 + FIVE_MINUTES)) == ["0.0.0.0:80"]


def test_an_open_listener_does_not_expire(registry: ListenerRegistry) -> None:
    registry.apply(opened(tcp(1), tcp(2)), 0.0)
    registry.apply(closed(1), 1.0)
    assert registry.expire(1e9) == []
    assert len(present(registry)) == 1


def test_of_too_many_closed_listeners_the_oldest_expire(registry: ListenerRegistry) -> None:
    """A program that listens on a new name each time must not fill the memory."""
    extra = 3
    for cookie in range(MAX_CLOSED + extra):
        registry.apply(opened(unix(cookie, b"/run/%d" % cookie)), 0.0)
        registry.apply(closed(cookie), 0.0)
    assert [group.key.address for group in registry.expire(0.0)] == ["/run/0", "/run/1", "/run/2"]
    assert registry.expire(0.0) == []


def test_a_number_may_belong_to_a_socket_that_closed_and_to_one_that_opened(
    registry: ListenerRegistry,
) -> None:
    """When the method changes, the cookie of one socket may be the inode of another."""
    registry.apply(opened(tcp(1, port=80), tcp(2, port=81)), 0.0)
    registry.apply(
        Changes(opened=((tcp(2, port=80), reading(2)), (tcp(1, port=81), reading(1))), closed=(1, 2)), 1.0
    )
    assert {(cookie, group.key.port) for group in present(registry) for cookie in group.members} == {
        (2, "80"),
        (1, "81"),
    }
