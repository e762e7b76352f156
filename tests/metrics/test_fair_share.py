"""How the places of a page are divided among namespaces and users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.fair_share import divide, select
from exporter.sampling.listener_state import ListenerState
from tests.listeners.sockets import tcp, unix
from tests.metrics.sample_host import page_of, read
from tests.sampling.fake_access import FakeAccess
from tests.sampling.simulation import Simulation

SHARE = "listen_queue_exporter_namespace_listeners_omitted"
TENANT = 12345
NEEDED = st.dictionaries(st.integers(0, 9), st.integers(1, 50), min_size=1)


@pytest.mark.parametrize(
    ("needed", "places", "parts"),
    [
        ({"a": 5, "b": 5}, 10, {"a": 5, "b": 5}),
        ({"a": 50, "b": 5}, 10, {"a": 5, "b": 5}),
        ({"a": 50, "b": 2}, 10, {"a": 8, "b": 2}),
        ({"a": 50, "b": 50, "c": 1}, 10, {"a": 4, "b": 5, "c": 1}),
        ({"a": 1, "b": 1, "c": 1}, 2, {"a": 0, "b": 1, "c": 1}),
        ({"a": 3}, 0, {"a": 0}),
        ({}, 7, {}),
    ],
)
def test_who_needs_less_than_an_equal_part_gets_all(
    needed: dict[str, int], places: int, parts: dict[str, int]
) -> None:
    assert divide(needed, places) == parts


@given(NEEDED, st.integers(0, 200))
def test_all_places_are_given_and_nobody_has_much_more_than_who_lacks_one(
    needed: dict[int, int], places: int
) -> None:
    parts = divide(needed, places)
    assert sum(parts.values()) == min(places, sum(needed.values()))
    lacking = [parts[party] for party in needed if parts[party] < needed[party]]
    assert not lacking or max(parts.values()) <= min(lacking) + 1


class Host:
    """Listeners of the exporter's own namespace, of some without a name, `1`, `2` and so on, and of these."""

    def __init__(self, others: int = 0, named: Sequence[str] = (), config: str = "{}") -> None:
        access = FakeAccess()
        access.add(*range(1, others + 1))
        for inode, name in enumerate(named, others + 1):
            access.add(inode, name=name)
        self.simulation = Simulation(config, others=access)
        self.simulation.tick(seconds=1.0)
        self.kernels = access.kernels | {"host": self.simulation.kernel}
        self._cookie = 100

    def listen(self, netns: str, number: int, *, uid: int | None = 0, length: int = 0) -> None:
        """Have a user listen on unix sockets in a namespace."""
        for _ in range(number):
            self._cookie += 1
            opened = replace(unix(self._cookie, b"\0%d" % self._cookie), uid=uid)
            self.kernels[netns].unix.open(opened, length=length, drops=None)

    def listeners(self) -> list[ListenerState]:
        """Sample, and return all that might be on a page."""
        self.simulation.tick(8, seconds=1.0)
        return self.simulation.sampler.published(self.simulation.clock.now)

    def chosen(self, places: int) -> Counter[tuple[str, int | None]]:
        """How many listeners of each namespace and user are on a page with so many places."""
        return counted(select(self.listeners(), places, "host").chosen)


def counted(listeners: Iterable[ListenerState]) -> Counter[tuple[str, int | None]]:
    return Counter((state.group.key.netns, state.group.uid) for state in listeners)


def test_a_user_with_thousands_of_full_listeners_leaves_out_nobody_elses() -> None:
    host = Host()
    host.listen("host", 5, uid=0)
    host.listen("host", 7, uid=33)
    host.listen("host", 500, uid=TENANT, length=10)
    assert host.chosen(30) == {("host", 0): 5, ("host", 33): 7, ("host", TENANT): 18}


def test_a_namespace_with_thousands_of_full_listeners_leaves_out_nobody_elses() -> None:
    host = Host(others=3)
    host.listen("host", 6)
    host.listen("1", 4)
    host.listen("2", 500, uid=TENANT, length=10)
    host.listen("3", 500, uid=TENANT, length=10)
    # Each of the others has a listener of TCP as well, whose user is not known.
    chosen = host.chosen(30)
    assert chosen["host", 0] == 6
    assert chosen["1", 0] == 4
    assert {
        netns: sum(number for (each, _), number in chosen.items() if each == netns) for netns in "123"
    } == {
        "1": 5,
        "2": 9,
        "3": 10,
    }


def test_namespaces_without_a_name_have_one_part() -> None:
    """Any user can make them without end."""
    host = Host(others=20, named=["web", "db"])
    host.listen("web", 9)
    host.listen("db", 200)
    for number in range(1, 21):
        host.listen(str(number), 9, uid=TENANT, length=10)
    # Each has a listener of TCP as well.
    chosen = host.chosen(60)
    of_namespaces = {netns: 0 for netns, _ in chosen}
    for (netns, _), number in chosen.items():
        of_namespaces[netns] += number
    assert (of_namespaces["web"], of_namespaces["db"]) == (10, 25)
    assert {of_namespaces[str(number)] for number in range(1, 21)} == {1, 2}


def test_the_own_namespace_comes_first_and_leaves_a_quarter_to_those_that_need_it() -> None:
    host = Host(others=2)
    host.listen("host", 100)
    host.listen("1", 50, length=10)
    host.listen("2", 1)
    chosen = host.chosen(80)
    assert (chosen["host", 0], chosen["1", 0], chosen["2", 0]) == (60, 17, 1)
    chosen = host.chosen(120)
    assert (chosen["host", 0], chosen["1", 0] + chosen["1", None], chosen["2", 0]) == (90, 28, 1)
    chosen = host.chosen(145)
    assert (chosen["host", 0], chosen["1", 0] + chosen["1", None], chosen["2", 0]) == (100, 43, 1)


def test_the_users_of_a_user_namespace_have_one_part() -> None:
    """Who may be all of them would have a part for each."""
    host = Host()
    host.listen("host", 10, uid=33)
    for uid in range(131072, 131072 + 40):
        host.listen("host", 1, uid=uid, length=10)
    chosen = host.chosen(20)
    assert chosen["host", 33] == 10
    assert sum(chosen.values()) == 20


def test_of_one_user_what_exceeds_a_threshold_stays_then_the_fullest_then_the_oldest() -> None:
    rule = "rules: [{name: first, match: {address: '@101'}, accept: {warning: 1}}]\n"
    host = Host(config=rule)
    host.listen("host", 1, length=1)
    host.listen("host", 1, length=0)
    host.listen("host", 1, length=4)
    host.listen("host", 1, length=3)
    host.simulation.tick(2, seconds=1.0)
    host.listen("host", 1, length=0)
    for places, kept in ((1, {101}), (2, {101, 103}), (3, {101, 103, 104}), (4, {101, 102, 103, 104})):
        chosen = select(host.listeners(), places, "host").chosen
        assert {int(state.group.key.address[1:]) for state in chosen} == kept


def test_within_the_limit_all_are_there_in_their_order() -> None:
    host = Host(others=1)
    host.listen("1", 3)
    host.listen("host", 3)
    listeners = host.listeners()
    selection = select(listeners, len(listeners), "host")
    assert (selection.chosen, selection.omitted) == (listeners, {})


def test_the_page_tells_of_each_namespace_how_many_are_left_off() -> None:
    host = Host(others=2, config="max_listeners: 20")
    host.listen("host", 3)
    host.listen("1", 100, length=10)
    host.listeners()
    page = read(page_of(host.simulation))
    assert {dict(labels)["netns"]: value for labels, value in page.all(SHARE).items()} == {
        "host": 0.0,
        "1": 85.0,
        "2": 0.0,
    }
    assert page.value("listen_queue_exporter_listeners_omitted") == 85.0


def test_a_listener_is_of_the_user_who_opened_its_first_socket() -> None:
    simulation = Simulation()
    simulation.kernel.tcp.open(tcp(1, uid=33))
    simulation.tick()
    assert simulation.listener("0.0.0.0").group.uid == 33
    simulation.kernel.tcp.close(1)
    simulation.tick()
    assert simulation.listener("0.0.0.0").group.uid is None
