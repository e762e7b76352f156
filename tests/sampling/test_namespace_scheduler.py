"""Whose turn it is among the other namespaces, and what becomes of those that come, cost and go."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.broker.wire import MAX_TARGETS, NamespaceTarget
from exporter.config import parse
from exporter.config.model import Config
from exporter.kernel.errors import KernelError, UnavailableError, from_errno
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.kernel.netns.remote import NamespaceReplacedError
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.source import Source
from tests.listeners import sockets
from tests.sampling.fake_clock import Clockwork
from tests.sampling.fake_namespace import Kernel

BEAT = 0.05


class World:
    """Namespaces that a test makes, and a rotation that visits them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, config: str = "", *, may_enter: bool = True) -> None:
        """Have no namespace yet. `errors` keep the rotation out, `costs` are of one sample, by name."""
        self.clock = Clockwork()
        self.clock.install(monkeypatch, "exporter.sampling.namespace_slot", "exporter.sampling.source")
        self.refs: dict[int, NamespaceRef] = {}
        self.kernels: dict[str, Kernel] = {}
        self.remotes: dict[str, SimpleNamespace] = {}
        self.errors: dict[str, KernelError] = {}
        self.costs: dict[str, float] = {}
        self.broker_seconds = 0.0
        self.lost_after: int | None = None
        self.find_error: KernelError | None = None
        self.visited: list[tuple[float, str]] = []
        self.files: list[tuple[str, Collection[str]]] = []
        self.batches: list[int] = []
        self.waits_on = False
        self.reported: list[Source] = []
        self.lock = threading.Lock()
        self.namespaces: list[NamespaceSampler] = []
        self.broker = SimpleNamespace(may_enter=may_enter, ended=3, seconds=lambda: 0.0)
        for name, stand_in in (
            ("Discovery", lambda _broker: self),
            ("RemoteNamespace", self._guest),
            ("attach_all", self._visits),
        ):
            monkeypatch.setattr(f"exporter.sampling.namespace_scheduler.{name}", stand_in)
        broker = cast("BrokerClient", self.broker)
        self.namespace_scheduler = NamespaceScheduler(broker, self.config(config), self.namespaces, self.lock)

    @staticmethod
    def config(text: str) -> Config:
        """A configuration from its text."""
        return parse(text, "c.yaml")

    def open(self, *inodes: int, name: str = "") -> None:
        """Make namespaces."""
        for inode in inodes:
            target = NamespaceTarget(name=name.encode()) if name else NamespaceTarget(pid=inode)
            self.refs[inode] = NamespaceRef(inode, name.encode(), target)

    def find(self) -> list[NamespaceRef]:
        """Stand in for Discovery.find."""
        assert not self.lock.locked()
        if self.find_error is not None:
            raise self.find_error
        return list(self.refs.values())

    def beat(self, beats: int = 1) -> None:
        """Do what the loop does, so many times."""
        for _ in range(beats):
            now = self.clock.now
            if self.namespace_scheduler.source.due <= now:
                self.namespace_scheduler.source.run(now)
            self.waits_on = self.namespace_scheduler.visit(now, self.reported.append)
            self.clock.now += BEAT

    def names(self) -> list[str]:
        """The namespaces that are sampled."""
        assert len(self.namespace_scheduler.slots()) == len(self.namespaces)
        return sorted(each.namespace.name for each in self.namespaces)

    def _guest(self, _broker: object, name: str, target: NamespaceTarget) -> Any:
        kernel = Kernel(self.clock.spend, name)
        kernel.tcp.cost = self.costs.get(name, 0.0)
        kernel.tcp.open(sockets.tcp(1))
        self.kernels[name] = kernel
        self.remotes[name] = SimpleNamespace(
            namespace=kernel.namespace(), target=target, name=name, broker_seconds=0.0
        )
        return self.remotes[name]

    def _visits(
        self, _broker: object, calls: list[tuple[Any, Collection[str]]]
    ) -> Iterator[tuple[Any, KernelError | None]]:
        self.batches.append(len(calls))
        for number, (remote, files) in enumerate(calls):
            if number == self.lost_after:
                raise KernelError("cannot enter network namespaces: gone", "broker")
            self.files.append((remote.name, files))
            error = self.errors.get(remote.name)
            remote.broker_seconds += self.broker_seconds
            if error is None:
                self.visited.append((self.clock.now, remote.name))
            yield remote, error


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world on defaults."""
    return World(monkeypatch)


def test_each_namespace_is_visited_on_every_beat(world: World) -> None:
    world.open(1, 2, 3)
    world.beat(20)
    assert Counter(name for _, name in world.visited) == {"1": 20, "2": 20, "3": 20}
    assert world.names() == ["1", "2", "3"]
    assert world.kernels["2"].tcp.asked == 20
    assert not world.waits_on
    assert {source.netns for source in world.reported} == {"1", "2", "3"}


def test_never_more_than_sixteen_at_once_and_who_waited_longest_is_first(world: World) -> None:
    world.open(*range(100, 140))
    world.beat(20)
    assert MAX_TARGETS // 2 == 16
    assert set(world.batches) == {16}
    assert world.waits_on
    attach_all = Counter(name for _, name in world.visited)
    assert len(attach_all) == 40
    assert max(attach_all.values()) <= 2 * min(attach_all.values())
    times: dict[str, list[float]] = {}
    for when, name in world.visited:
        times.setdefault(name, []).append(when)
    gaps = [later - earlier for each in times.values() for earlier, later in pairwise(each)]
    assert max(gaps) <= 3 * BEAT + 1e-9


def test_a_costly_namespace_is_slowed_and_the_others_are_not(world: World) -> None:
    world.costs = {"2": 0.01}
    world.open(1, 2, 3)
    for _ in range(20):
        world.beat()
        # A tenth of a core, of which the costly one wants a fifth.
        world.namespace_scheduler.limit_to(0.1)
    in_force = {
        each.remote.namespace.name: each.interval_in_force for each in world.namespace_scheduler.slots()
    }
    assert in_force["1"] == in_force["3"] == BEAT
    assert in_force["2"] == pytest.approx(2 * BEAT)
    world.visited.clear()
    world.beat(20)
    attach_all = Counter(name for _, name in world.visited)
    assert attach_all["1"] == attach_all["3"] == 20
    assert attach_all["2"] in {10, 11}
    assert world.namespaces[1].inet.interval_in_force == pytest.approx(2 * BEAT)


@given(st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=30))
def test_none_is_slowed_where_all_of_them_fit(costs: list[float]) -> None:
    """The sum of what they want, taken in another order, is not quite the same number."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = World(monkeypatch)
        world.open(*range(1, 1 + len(costs)))
        world.namespace_scheduler.source.run(world.clock.now)
        for slot, cost in zip(world.namespace_scheduler.slots(), costs, strict=True):
            slot.cost = cost
        world.namespace_scheduler.limit_to(world.namespace_scheduler.requested_share())
        assert {slot.interval_in_force for slot in world.namespace_scheduler.slots()} == {BEAT}


def test_however_costly_it_is_a_namespace_waits_four_times_as_long_as_most_at_the_longest(
    world: World,
) -> None:
    world.open(1, 2, 3)
    world.namespace_scheduler.source.run(world.clock.now)
    for slot, cost in zip(world.namespace_scheduler.slots(), (0.001, 1.0, 0.001), strict=True):
        slot.cost = cost
    world.namespace_scheduler.limit_to(0.01)
    usual, costly, other = (slot.interval_in_force for slot in world.namespace_scheduler.slots())
    assert usual == other > BEAT
    assert costly == pytest.approx(4 * usual)


def test_a_newcomer_is_visited_as_often_as_most(world: World) -> None:
    world.open(1, 2, 3)
    world.namespace_scheduler.source.run(world.clock.now)
    for slot in world.namespace_scheduler.slots():
        slot.cost = 0.001
    world.namespace_scheduler.limit_to(0.01)
    world.open(1, 2, 3, 4)
    world.namespace_scheduler.source.run(world.clock.now)
    paces = [slot.interval_in_force for slot in world.namespace_scheduler.slots()]
    assert len(paces) == 4
    assert len(set(paces)) == 1
    assert paces[0] > BEAT


def test_what_the_broker_took_is_part_of_the_cost(world: World) -> None:
    world.open(1)
    world.beat()
    (slot,) = world.namespace_scheduler.slots()
    assert slot.cost == 0
    world.broker_seconds = 0.25
    world.beat()
    assert slot.cost == pytest.approx(0.25)


def test_a_namespace_that_disappears_leaves_and_what_it_counted_stays(world: World) -> None:
    world.open(1, 2)
    world.beat(10)
    world.kernels["1"].tcp.error = KernelError("no", "EIO")
    world.beat(5)
    del world.refs[1]
    world.beat(30)
    assert world.names() == ["2"]
    past = world.namespace_scheduler.past["inet"]
    # It is noticed at the next look, a second after the first.
    assert past.samples == 10
    assert past.errors["EIO"] in {10, 11}
    assert world.namespace_scheduler.past["unix"].samples == 10 + past.errors["EIO"]
    world.open(1)
    world.beat(25)
    assert world.names() == ["1", "2"]
    assert world.namespace_scheduler.past["inet"].samples == 10


def test_a_namespace_that_cannot_be_entered_for_its_process_ended_is_looked_for_at_once(world: World) -> None:
    world.open(1, 2)
    world.beat(5)
    world.errors["1"] = from_errno("cannot enter", 3)
    world.refs[1] = NamespaceRef(1, b"", NamespaceTarget(pid=99))
    world.beat()
    del world.errors["1"]
    world.visited.clear()
    world.beat(4)
    # Another process was found, and the history goes on.
    assert world.remotes["1"].target == NamespaceTarget(pid=99)
    assert world.names() == ["1", "2"]
    assert "1" in {name for _, name in world.visited}
    assert world.namespaces[0].inet.errors == Counter()


def test_a_namespace_that_was_replaced_loses_its_turn_and_gets_another_one(world: World) -> None:
    world.open(1)
    world.beat(5)
    before = world.namespace_scheduler.slots()[0]
    world.errors["1"] = NamespaceReplacedError()
    world.beat()
    assert world.names() == []
    assert world.namespace_scheduler.past["inet"].samples == 5
    del world.errors["1"]
    world.beat(4)
    assert world.names() == ["1"]
    assert world.namespace_scheduler.slots()[0] is not before
    assert world.kernels["1"].tcp.asked >= 1


def test_a_namespace_that_may_not_be_entered_fails_and_keeps_none_of_the_others_out(world: World) -> None:
    world.open(1, 2)
    world.errors["1"] = from_errno("cannot enter", 1)
    world.beat(9)
    failed, fine = world.namespaces
    assert not failed.inet.healthy(world.clock.now)
    assert failed.inet.errors["EPERM"] in {4, 5}
    assert [source.name for source in failed.sources if source.healthy(world.clock.now)] == []
    assert failed.inet in world.reported
    assert fine.inet.healthy(world.clock.now)
    assert fine.inet.samples == 9
    assert world.namespace_scheduler.source.error is None


@pytest.mark.parametrize("after", [0, 2])
def test_a_lost_broker_fails_the_source_and_visits_go_on_later(world: World, after: int) -> None:
    world.open(1, 2, 3, 4)
    world.beat(3)
    world.lost_after = after
    world.beat()
    source = world.namespace_scheduler.source
    assert source.error is not None
    assert source.error.reason == "broker"
    assert source.errors["broker"] == 1
    assert world.reported[-1] is source
    world.lost_after = None
    world.visited.clear()
    # The next one needs a moment to start.
    world.beat()
    assert world.visited == []
    world.beat(30)
    assert {name for _, name in world.visited} == {"1", "2", "3", "4"}
    assert world.namespace_scheduler.source.healthy(world.clock.now)
    assert world.names() == ["1", "2", "3", "4"]
    assert world.namespace_scheduler.restarts() == 3


def test_a_look_that_fails_leaves_everything_as_it_was(world: World) -> None:
    world.open(1, 2)
    world.beat(3)
    world.find_error = KernelError("cannot look", "broker")
    world.beat(40)
    assert world.names() == ["1", "2"]
    assert world.namespace_scheduler.source.error is world.find_error
    assert world.kernels["1"].tcp.asked == 43


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", ["5", "db", "web-1", "web-2"]),
        ("namespaces: {include: ['web-*']}", ["web-1", "web-2"]),
        ("namespaces: {include: ['web-*', '5'], exclude: ['web-2']}", ["5", "web-1"]),
        ("namespaces: {exclude: ['*']}", []),
        ("namespaces: {enabled: false}", []),
    ],
)
def test_only_those_that_are_wanted_are_sampled(
    monkeypatch: pytest.MonkeyPatch, config: str, expected: list[str]
) -> None:
    world = World(monkeypatch, config)
    world.open(5)
    for inode, name in ((1, "web-1"), (2, "web-2"), (3, "db")):
        world.open(inode, name=name)
    world.beat(2)
    assert world.names() == expected
    assert {name for _, name in world.visited} == set(expected)
    assert world.namespace_scheduler.omitted == 0


def test_where_there_are_too_many_those_that_are_known_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "namespaces: {max: 3}")
    world.open(7, 8)
    world.beat(2)
    world.open(1, 2, 3)
    world.beat(25)
    assert world.names() == ["1", "7", "8"]
    assert world.namespace_scheduler.omitted == 2
    del world.refs[7], world.refs[8]
    world.beat(25)
    assert world.names() == ["1", "2", "3"]
    assert world.namespace_scheduler.omitted == 0


def test_a_name_that_could_be_taken_for_another_is_not_used(world: World) -> None:
    names = {1: "web", 2: "host", 3: "123", 4: "4026531840", 5: "a b", 6: "\u0663", 7: "-1", 8: "a\\b"}
    for inode, name in names.items():
        world.open(inode, name=name)
    world.open(9)
    world.beat()
    assert world.names() == sorted(["web", "2", "3", "4", "a b", "6", "-1", "a\\x5cb", "9"])


def test_of_two_that_print_the_same_one_has_its_number(world: World) -> None:
    world.refs = {inode: NamespaceRef(inode, b"web", NamespaceTarget(name=b"web")) for inode in (8, 7)}
    world.beat()
    assert world.names() == ["8", "web"]
    assert world.remotes["web"].target == NamespaceTarget(name=b"web")


def test_a_namespace_that_gets_a_name_starts_afresh_under_it(world: World) -> None:
    world.open(1)
    world.beat(2)
    world.open(1, name="web")
    world.beat(25)
    assert world.names() == ["web"]
    assert world.namespace_scheduler.past["inet"].samples > 0


def test_counters_wait_for_four_turns(world: World) -> None:
    world.open(1)
    world.beat()
    (slot,) = world.namespace_scheduler.slots()
    # Every half second, so that four turns are longer than the second that counters wait anyway.
    slot.cost = BEAT
    slot.limit_to(0.1)
    assert slot.interval_in_force == pytest.approx(10 * BEAT)
    asked = world.kernels["1"].netstat.asked
    listeners = world.kernels["1"].tcp.asked
    world.files.clear()
    world.beat(401)
    assert world.kernels["1"].tcp.asked - listeners in {40, 41}
    assert world.kernels["1"].netstat.asked - asked in {10, 11}
    brought = [len(files) for _, files in world.files]
    assert Counter(count > 2 for count in brought)[True] in {10, 11}


@pytest.mark.parametrize("broker", [None, "without the capabilities"])
def test_enabled_without_the_capabilities_is_a_source_that_fails(
    monkeypatch: pytest.MonkeyPatch, broker: str | None
) -> None:
    world = World(monkeypatch, "namespaces: {enabled: true}", may_enter=False)
    if broker is None:
        world.namespace_scheduler = NamespaceScheduler(
            None, world.config("namespaces: {enabled: true}"), [], world.lock
        )
    world.beat(3)
    assert world.namespace_scheduler.wanted()
    assert not world.namespace_scheduler.possible()
    assert world.namespace_scheduler.restarts() == 0
    assert isinstance(world.namespace_scheduler.source.error, UnavailableError)
    assert not world.namespace_scheduler.source.healthy(world.clock.now)


def test_auto_without_the_capabilities_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, may_enter=False)
    world.open(1)
    world.beat(3)
    assert not world.namespace_scheduler.wanted()
    assert world.namespace_scheduler.source.error is None
    assert world.names() == []


def test_another_configuration_is_in_force_at_once(world: World) -> None:
    world.open(1, 2)
    world.beat(3)

    def configure(text: str) -> None:
        world.namespace_scheduler.configure(world.config(text))

    configure("namespaces: {include: ['2']}")
    world.beat()
    assert world.names() == ["2"]
    configure("sampling: {interval: 200ms}")
    world.beat()
    assert world.names() == ["1", "2"]
    world.visited.clear()
    world.beat(40)
    assert Counter(name for _, name in world.visited)["1"] in {10, 11}
    configure("namespaces: {enabled: false}")
    world.beat()
    assert world.names() == []
    assert world.namespace_scheduler.past["inet"].samples > 0
    world.beat(30)
    assert world.names() == []
    configure("")
    world.beat()
    assert world.names() == ["1", "2"]


def test_a_configuration_that_comes_in_the_middle_of_a_visit_disturbs_nothing(world: World) -> None:
    """The signal and the endpoint for it come from other threads."""
    world.open(*range(1, 9))
    world.beat(2)

    def off(_now: float) -> None:
        world.namespace_scheduler.configure(world.config("namespaces: {enabled: false}"))

    world.namespaces[0].inet._take = off  # noqa: SLF001  (in the middle)
    world.errors["8"] = NamespaceReplacedError()
    world.beat(3)
    assert world.names() == []
