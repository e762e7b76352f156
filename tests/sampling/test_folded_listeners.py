"""Listeners that come and go are published as one where a rule folds them."""

from __future__ import annotations

import time

import pytest

from exporter.listeners.registry import REMEMBER_SECONDS
from exporter.sampling.listener_state import ListenerState
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.simulation import Simulation

FTP = "rules: [{name: ftp, match: {process: vsftpd, port: 30000-39999}, fold: true}]"
PORTS = "rules: [{name: ports, match: {port: 30000-39999}, fold: true}]"
NAMES = "rules: [{name: names, match: {protocol: unix, address: '/run/app-*'}, fold: true}]"
VSFTPD, OTHER = 100, 200


def is_folded(state: ListenerState) -> bool:
    """Whether a listener stands for others."""
    return "*" in state.group.key


class Host:
    """A host on which programs listen on ports that they get from the kernel."""

    def __init__(self, config: str = FTP) -> None:
        self.simulation = Simulation(config)
        self.inodes: dict[int, list[int]] = {VSFTPD: [], OTHER: []}
        self.names = {VSFTPD: b"vsftpd", OTHER: b"other"}

    def open(
        self, *cookies: int, pid: int = VSFTPD, drops: int = 0, length: int = 0, cgroup_id: int = 0
    ) -> None:
        """Let a program listen on a port for each cookie; the exporter may not find the owner yet."""
        for cookie in cookies:
            listener = tcp(cookie, port=30_000 + cookie, cgroup_id=cgroup_id)
            self.simulation.kernel.tcp.open(listener, length=length, drops=drops)
            self.inodes[pid].append(listener.inode)
        self.simulation.host.run(pid, self.names[pid], *self.inodes[pid])

    def close(self, *cookies: int) -> None:
        self.simulation.kernel.tcp.close(*cookies)

    def slow_search(self) -> None:
        """Let the search for owners take long from now on."""
        self.simulation.walk_cost = 0.02
        for pid in range(1000, 1100):
            self.simulation.host.run(pid, b"idle")

    def hide_owners(self) -> None:
        """Let no owner be found from now on, however long it is searched for."""
        self.simulation.host.processes.clear()

    def tick(self, ticks: int = 1) -> None:
        self.simulation.tick(ticks)

    def states(self) -> list[ListenerState]:
        """The listeners that have series."""
        with self.simulation.sampler.lock:
            return self.simulation.sampler.published(self.simulation.clock.now)

    def shown(self) -> set[tuple[str, str, str]]:
        """Address, port and process of those."""
        found = [
            (state.group.key.address, state.group.key.port, state.owner.process if state.owner else "")
            for state in self.states()
        ]
        assert len(found) == len(set(found)), "two series would be equal"
        return set(found)

    def only(self) -> ListenerState:
        """The only listener that has series."""
        (state,) = self.states()
        return state


@pytest.fixture
def host() -> Host:
    """Three listeners of one program, with their owner known."""
    made = Host()
    made.open(1, 2, 3)
    made.tick(3)
    return made


FOLDED = {("0.0.0.0", "*", "vsftpd")}


def test_listeners_of_a_rule_that_folds_are_one(host: Host) -> None:
    assert host.shown() == FOLDED
    assert len(host.only().group.members) == 3
    assert host.only().rule_match == host.simulation.listener("0.0.0.0", "30001").rule_match


def test_figures_are_sums_and_the_fullest(host: Host) -> None:
    host.simulation.kernel.tcp.change(1, length=3, drops=2)
    host.simulation.kernel.tcp.change(2, length=9, drops=1)
    host.tick()
    group = host.only().group
    assert (group.length, group.limit, group.utilization, group.drops) == (12, 27, 0.9, 3)


def test_counters_go_on_while_single_listeners_come_and_go(host: Host) -> None:
    """Also through a time without any."""
    drops: list[float] = []
    full: list[float] = []
    for cookie in range(10, 40):
        host.open(cookie, length=10)
        host.tick(2)
        host.simulation.kernel.tcp.change(cookie, drops=1)
        host.tick()
        assert host.shown() == FOLDED
        drops.append(host.only().group.drops or 0)
        full.append(host.only().accept.full_seconds() or 0)
        host.close(cookie)
        if cookie == 20:
            host.close(1, 2, 3)
            host.tick(40)
            assert host.shown() == set()
    assert drops == list(range(1, 31))
    assert full == sorted(full)
    assert full[-1] == pytest.approx(30 * 0.1 + 29 * 0.05, abs=0.2)


def test_time_in_which_any_of_them_was_full_is_counted_once(host: Host) -> None:
    host.simulation.kernel.tcp.change(1, length=10)
    host.simulation.kernel.tcp.change(2, length=10)
    host.tick()
    host.tick(20)
    host.simulation.kernel.tcp.change(1, length=0)
    host.tick(20)
    host.simulation.kernel.tcp.change(2, length=0)
    host.tick(20)
    assert host.only().accept.full_seconds() == pytest.approx(41 * 0.05, abs=0.06)


def test_half_open_connections_go_by_the_real_ports(host: Host) -> None:
    host.simulation.kernel.syn_recv_dump.counts = {
        endpoint("10.0.0.1", 30_001): 2,
        endpoint("10.0.0.1", 30_003): 3,
        endpoint("10.0.0.1", 30_099): 7,
    }
    host.tick(10)
    syn_recv = host.only().syn_recv
    assert syn_recv is not None
    assert (syn_recv.length, host.only().syn_recv_limit()) == (5, 30)
    host.simulation.kernel.syn_recv_dump.counts = {}
    host.tick(10)
    assert (syn_recv.length, syn_recv.peak_length()) == (0, 5)


def test_thresholds_of_half_open_connections_are_known_before_the_first_one(host: Host) -> None:
    syn_recv = host.only().syn_recv
    assert syn_recv is not None
    assert (syn_recv.length, syn_recv.ratio) == (0, 0.0)
    assert all(state.exceeded is False for state in syn_recv.threshold_states.values())


def test_the_oldest_wait_is_that_of_any_of_the_real_ports(host: Host) -> None:
    kernel = host.simulation.kernel
    for cookie in (1, 2):
        kernel.tcp.change(cookie, length=1)
    for waits in ((2.5, 4.0), (4.0, 2.5)):
        kernel.waits = {endpoint("10.0.0.1", 30_000 + port): wait for port, wait in enumerate(waits, start=1)}
        host.tick(30)
        assert host.only().oldest_wait_seconds() == 4.0
    kernel.tcp.change(1, length=0)
    del kernel.waits[endpoint("10.0.0.1", 30_001)]
    host.tick(30)
    assert host.only().oldest_wait_seconds() == 2.5
    kernel.waits = {}
    kernel.tcp.change(2, length=0)
    host.tick(30)
    assert host.only().oldest_wait_seconds() == 0.0


def test_settings_of_the_namespace_limit_half_open_connections(host: Host) -> None:
    host.simulation.kernel.settings = host.simulation.kernel.settings.__class__(4096, 4, 0, 0)
    host.tick(30)
    assert host.only().syn_recv_limit() == 3 * 4


def test_programs_and_addresses_are_not_mixed(host: Host) -> None:
    host.simulation.configure(PORTS)
    host.open(4, pid=OTHER)
    host.simulation.kernel.tcp.open(tcp(5, "::1", 30_005))
    host.simulation.host.run(VSFTPD, b"vsftpd", *host.inodes[VSFTPD], 500)
    host.tick(40)
    assert host.shown() == FOLDED | {("0.0.0.0", "*", "other"), ("::1", "*", "vsftpd")}


def test_programs_are_one_where_no_label_tells_them_apart(host: Host) -> None:
    host.simulation.configure(f"labels: []\n{PORTS}")
    host.open(4, pid=OTHER)
    host.tick(40)
    assert len(host.only().group.members) == 4


def test_a_rule_for_a_program_takes_none_of_another(host: Host) -> None:
    host.open(4, pid=OTHER)
    host.tick(40)
    assert host.shown() == FOLDED | {("0.0.0.0", "30004", "other")}


def test_names_of_unix_listeners_fold_too() -> None:
    host = Host(NAMES)
    for cookie, name in ((1, b"/run/app-1"), (2, b"/run/app-2"), (3, b"/run/other"), (4, b"*")):
        host.simulation.kernel.unix.open(unix(cookie, name), length=2, drops=None)
    host.simulation.host.run(VSFTPD, b"app", 100, 200, 300, 400)
    host.tick(3)
    assert host.shown() == {("*", "", "app"), ("/run/other", "", "app"), (r"\x2a", "", "app")}
    (folded,) = (state for state in host.states() if is_folded(state))
    assert (folded.group.length, len(folded.group.members)) == (4, 2)


def test_nothing_is_published_before_the_owner_is_known(host: Host) -> None:
    """A rule that matches without an owner waits for it all the same: it is a label."""
    host.simulation.configure(PORTS)
    host.close(1, 2, 3)
    host.tick(2)
    host.simulation.clock.now += REMEMBER_SECONDS + 1
    host.tick(2)
    host.slow_search()
    host.simulation.kernel.tcp.open(tcp(4, port=30_004))
    host.tick(2)
    assert host.shown() == set()
    host.tick(25)
    assert host.shown() == {("0.0.0.0", "*", "")}


def test_an_owner_that_is_found_late_moves_its_listeners() -> None:
    host = Host(PORTS)
    host.hide_owners()
    host.simulation.kernel.tcp.open(tcp(1, port=30_001), drops=3)
    host.tick(30)
    assert host.shown() == {("0.0.0.0", "*", "")}
    host.simulation.host.run(VSFTPD, b"vsftpd", 100)
    host.tick(200)
    assert host.shown() == FOLDED
    assert host.only().group.drops == 3


def test_a_listener_without_an_owner_belongs_where_its_creator_does(host: Host) -> None:
    """It may be gone before its owner is found. What it dropped counts."""
    host.hide_owners()
    for cookie in range(10, 20):
        host.simulation.kernel.tcp.open(tcp(cookie, port=30_000 + cookie), drops=1)
        host.tick()
        assert host.shown() == FOLDED
        assert len(host.only().group.members) == 4
        host.close(cookie)
        host.tick()
    assert host.only().group.drops == 10


@pytest.mark.parametrize(
    "other",
    [
        tcp(9, port=30_009, uid=1000),
        tcp(9, port=30_009, cgroup_id=77),
        tcp(9, "::", 30_009),
        tcp(9, port=8080),
    ],
)
def test_a_listener_of_another_creator_address_or_rule_does_not(host: Host, other: object) -> None:
    host.hide_owners()
    host.simulation.kernel.tcp.open(other)  # type: ignore[arg-type]  # drawn
    host.tick(30)
    assert len(next(state for state in host.states() if is_folded(state)).group.members) == 3
    assert len(host.shown()) == 2


def test_a_listener_that_was_taken_for_one_of_them_leaves(host: Host) -> None:
    """When its owner is found; what it has then is not in the sums any more."""
    host.slow_search()
    host.simulation.kernel.tcp.open(tcp(4, port=30_004), length=5)
    host.tick()
    assert host.only().group.length == 5
    host.simulation.walk_cost = 0.0
    host.simulation.host.run(OTHER, b"other", 400)
    host.tick(200)
    assert host.shown() == FOLDED | {("0.0.0.0", "30004", "other")}
    (folded,) = (state for state in host.states() if is_folded(state))
    assert (folded.group.length, folded.accept.length) == (0, 0)


def test_a_reload_folds_and_unfolds_and_no_counter_goes_back(host: Host) -> None:
    kernel = host.simulation.kernel
    single = {("0.0.0.0", str(30_000 + cookie), "vsftpd") for cookie in (1, 2, 3)}
    last: dict[tuple[str, str], tuple[float, float]] = {}
    for number in range(8):
        host.simulation.configure(FTP if number % 2 else "{}")
        kernel.tcp.change(1, length=10 * (number % 3), drops=number)
        host.tick(10)
        assert host.shown() == (FOLDED if number % 2 else single)
        for state in host.states():
            place = (state.group.key.address, state.group.key.port)
            now = (state.accept.full_seconds() or 0.0, state.group.drops or 0)
            before = last.get(place, (0.0, 0))
            assert now[0] >= before[0], place
            assert now[1] >= before[1], place
            last[place] = now
    assert last["0.0.0.0", "*"][1] == 7


def test_after_a_reload_it_is_remembered_for_five_minutes(host: Host) -> None:
    """Counted from the last time that it had a socket."""
    folded = host.only()
    for seconds, config in ((200, "{}"), (200, FTP), (200, "{}"), (200, FTP)):
        host.simulation.configure(config)
        host.tick(2)
        host.simulation.clock.now += seconds
        host.tick(2)
    assert host.only() is folded
    host.simulation.configure("{}")
    host.simulation.clock.now += 1
    host.tick()
    host.simulation.clock.now += REMEMBER_SECONDS + 1
    host.tick()
    host.simulation.configure(FTP)
    assert host.only() is not folded


def test_a_reload_changes_the_thresholds_and_the_name_of_the_rule(host: Host) -> None:
    """The counters are those of the same labels, so they go on."""
    host.simulation.kernel.tcp.change(1, length=10)
    host.tick(20)
    before = host.only().accept.full_seconds() or 0.0
    assert before > 0.5
    host.simulation.configure(FTP.replace("name: ftp", "name: transfers, accept: {warning: 3}, hold: 1s"))
    host.tick()
    match = host.only().rule_match
    assert match is not None
    assert (match.rule, match.thresholds.hold_seconds) == ("transfers", 1.0)
    assert (host.only().accept.full_seconds() or 0.0) >= before


def test_a_reload_places_those_without_an_owner_last() -> None:
    """Only then it is evident where they belong."""
    host = Host(PORTS)
    host.simulation.kernel.tcp.open(tcp(1, port=30_001))
    host.tick(3)
    host.open(2, 3)
    host.tick(40)
    assert host.shown() == FOLDED | {("0.0.0.0", "*", "")}
    host.simulation.configure(PORTS.replace("name: ports", "name: others"))
    assert host.shown() == FOLDED
    assert len(host.only().group.members) == 3


def test_a_reload_with_other_labels_folds_anew(host: Host) -> None:
    host.simulation.configure(f"labels: [user]\n{FTP}")
    assert len(host.only().group.members) == 3
    host.simulation.configure(FTP)
    assert len(host.only().group.members) == 3


@pytest.mark.parametrize("labels", ["[]", "[user]", "[process, user]"])
def test_after_a_reload_with_other_labels_short_lived_listeners_are_folded_as_before(
    host: Host, labels: str
) -> None:
    """The one with the labels of before is still remembered, and has no listener."""
    host.simulation.configure(f"labels: {labels}\n{FTP}")
    host.tick(3)
    (before,) = host.states()
    host.slow_search()
    for cookie in range(10, 20):
        host.open(cookie, drops=1)
        host.tick(3)
        host.close(cookie)
        host.tick(3)
    assert host.states() == [before]
    assert before.group.drops == 10


def test_one_without_a_socket_is_forgotten_after_five_minutes(host: Host) -> None:
    host.simulation.kernel.tcp.change(1, drops=5)
    host.tick(2)
    host.close(1, 2, 3)
    host.tick(2)
    assert host.shown() == set()
    host.simulation.clock.now += REMEMBER_SECONDS - 10
    host.tick(2)
    host.open(4)
    host.tick(3)
    # Not while it has a socket again.
    host.simulation.clock.now += REMEMBER_SECONDS
    host.tick(3)
    assert host.only().group.drops == 5
    host.close(4)
    host.tick(2)
    host.simulation.clock.now += REMEMBER_SECONDS + 1
    host.tick(2)
    host.open(1)
    host.tick(3)
    assert host.shown() == FOLDED
    assert host.only().group.drops == 0


def test_another_program_at_a_port_leaves_the_rest_as_it_is(host: Host) -> None:
    host.close(2)
    host.tick()
    host.inodes[VSFTPD].remove(200)
    host.simulation.kernel.tcp.open(tcp(7, port=30_002), drops=1)
    host.simulation.host.run(VSFTPD, b"vsftpd", *host.inodes[VSFTPD])
    host.simulation.host.run(OTHER, b"other", 700)
    host.tick(40)
    assert host.shown() == FOLDED | {("0.0.0.0", "30002", "other")}
    (folded,) = (state for state in host.states() if is_folded(state))
    assert len(folded.group.members) == 2


def test_an_owner_that_only_the_info_metric_shows_stays_while_a_listener_has_it() -> None:
    host = Host()
    host.simulation.host.run(100, b"vsftpd", 100, cgroup=b"/system.slice/one.service")
    host.simulation.host.run(200, b"vsftpd", 200, cgroup=b"/system.slice/two.service")
    host.simulation.kernel.tcp.open(tcp(1, port=30_001), tcp(2, port=30_002))
    host.tick(3)
    first = host.only().owner
    assert first is not None
    assert first.unit in {"one.service", "two.service"}
    host.close(1 if first.unit == "one.service" else 2)
    host.simulation.host.run(300, b"vsftpd", 300, cgroup=b"/system.slice/three.service")
    host.simulation.kernel.tcp.open(tcp(3, port=30_003))
    host.tick(40)
    assert host.only().owner != first


def test_export_false_hides_what_is_folded(host: Host) -> None:
    host.simulation.configure(FTP.replace("fold: true", "fold: true, export: false"))
    host.tick()
    assert host.shown() == set()


def seconds_to_fold(count: int, *, with_owner: bool) -> float:
    """The processor time in which so many listeners are found and folded."""
    made = Host(PORTS)
    made.open(*range(1, count + 1))
    if not with_owner:
        made.hide_owners()
    began = time.process_time()
    made.tick(30)
    assert made.shown() == {("0.0.0.0", "*", "vsftpd" if with_owner else "")}
    return time.process_time() - began


@pytest.mark.parametrize("with_owner", [True, False])
def test_each_of_thousands_of_listeners_takes_as_long_as_one_of_hundreds(*, with_owner: bool) -> None:
    few = min(seconds_to_fold(750, with_owner=with_owner) for _ in range(3))
    many = seconds_to_fold(6000, with_owner=with_owner)
    # Eight times as many; with all others looked at for each of them it would be 64 times as long.
    assert many < 24 * few
