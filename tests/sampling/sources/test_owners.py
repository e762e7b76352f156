"""Listeners get their owners, and keep what was counted."""

from __future__ import annotations

from itertools import pairwise

import pytest

from exporter.config.model import Severity
from exporter.kernel.processes.files import SocketFile, SocketFileState
from exporter.kernel.records import FileId
from tests.listeners.sockets import tcp, unix
from tests.sampling.fake_access import FakeAccess
from tests.sampling.simulation import TICK_SECONDS, Simulation, listener_of

LONGER_THAN_A_STEP = 0.02


def after_the_first_search(simulation: Simulation, others: int) -> None:
    """Go on to when the search is done in steps, one process a step, with so many other processes."""
    simulation.host.run(1, b"init", 7700)
    simulation.kernel.unix.open(unix(77))
    simulation.tick()
    for pid in range(10, 9 + others):
        simulation.host.run(pid, b"other")
    simulation.walk_cost = LONGER_THAN_A_STEP


def published_tcp(simulation: Simulation) -> list[tuple[str, str]]:
    return [each for each in simulation.published() if each[0] == "0.0.0.0"]


def test_first_sample_has_owners(simulation: Simulation) -> None:
    """However long that takes: the first page is complete."""
    for pid in range(10, 60):
        simulation.host.run(pid, b"other")
    simulation.host.run(99, b"nginx", 100)
    simulation.walk_cost = LONGER_THAN_A_STEP
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    assert simulation.published() == [("0.0.0.0", "nginx")]


def test_later_searches_are_done_in_steps(simulation: Simulation) -> None:
    """With a sample of the queues between any two."""
    after_the_first_search(simulation, others=5)
    simulation.host.run(99, b"nginx", 100)
    simulation.kernel.tcp.open(tcp(1))
    asked = simulation.kernel.tcp.asked
    ticks = 0
    while not published_tcp(simulation):
        simulation.tick()
        ticks += 1
    assert ticks == 7, "six processes, which are all new, and the end"
    assert simulation.kernel.tcp.asked == asked + ticks


def test_owner_that_arrives_later_keeps_the_counters(simulation: Simulation) -> None:
    """And the listener is not published meanwhile, so that it is one series from the start."""
    after_the_first_search(simulation, others=5)
    simulation.host.run(99, b"nginx", 100)
    simulation.kernel.tcp.open(tcp(1), length=10, drops=3)
    simulation.tick()
    web = simulation.listener("0.0.0.0")
    assert published_tcp(simulation) == []
    simulation.tick(9)
    assert published_tcp(simulation) == [("0.0.0.0", "nginx")]
    assert simulation.listener("0.0.0.0") is web
    assert web.accept.full_seconds() == pytest.approx(0.45)
    assert web.group.drops == 3


def test_listener_is_published_without_an_owner_after_a_second(simulation: Simulation) -> None:
    after_the_first_search(simulation, others=200)
    simulation.kernel.tcp.open(tcp(1))
    simulation.run_for(0.9)
    assert published_tcp(simulation) == []
    simulation.run_for(0.2)
    assert published_tcp(simulation) == [("0.0.0.0", "")]


def test_owner_that_is_found_late_is_no_other_program(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=10)
    simulation.tick(11)
    assert simulation.published() == [("0.0.0.0", "")]
    web = simulation.listener("0.0.0.0")
    simulation.host.run(99, b"nginx", 100)
    simulation.run_for(6.0)
    assert simulation.published() == [("0.0.0.0", "nginx")]
    assert simulation.listener("0.0.0.0") is web


def test_same_program_that_restarts_goes_on(simulation: Simulation) -> None:
    simulation.host.run(10, b"nginx", 100)
    simulation.kernel.tcp.open(tcp(1), length=10, drops=3)
    simulation.tick(11)
    web = simulation.listener("0.0.0.0")
    simulation.host.processes.clear()
    simulation.host.run(20, b"nginx", 200)
    simulation.kernel.tcp.close(1)
    simulation.kernel.tcp.open(tcp(2), length=0, drops=1)
    simulation.tick(2)
    assert simulation.listener("0.0.0.0") is web
    assert web.accept.full_seconds() == pytest.approx(0.55)
    assert web.group.drops == 4


def test_other_program_at_the_same_address_starts_anew(simulation: Simulation) -> None:
    """Its counters are a new series; what its queue holds already counts for it from now on."""
    simulation.host.run(10, b"nginx", 100)
    simulation.kernel.tcp.open(tcp(1), length=10, drops=3)
    simulation.tick(11)
    simulation.host.processes.clear()
    simulation.host.run(20, b"haproxy", 200)
    simulation.kernel.tcp.close(1)
    simulation.kernel.tcp.open(tcp(2), length=10, drops=1)
    simulation.tick()
    web = simulation.listener("0.0.0.0")
    assert simulation.published() == [("0.0.0.0", "haproxy")]
    assert web.group.drops == 1
    assert (web.accept.length, web.accept.full_seconds()) == (10, 0.0)
    assert web.accept.active(Severity.CRITICAL)
    simulation.tick(10)
    assert web.accept.full_seconds() == pytest.approx(0.5)
    assert web.accept.histogram() == ((0,) * 7 + (11,), 11.0)


def test_a_program_that_cannot_be_seen_has_nothing_of_the_one_before_at_its_port(
    simulation: Simulation,
) -> None:
    simulation.host.run(10, b"nginx", 100)
    simulation.kernel.tcp.open(tcp(1), length=10, drops=3)
    simulation.tick(20)
    simulation.host.processes.clear()
    simulation.kernel.tcp.close(1)
    simulation.kernel.tcp.open(tcp(2), drops=1)
    simulation.run_for(2)
    assert simulation.published() == [("0.0.0.0", "")]
    (unseen,) = (state for state in simulation.namespace.table.states.values() if state.group.members)
    assert (unseen.group.drops, unseen.accept.full_seconds()) == (1, 0)


def test_a_port_that_opens_again_is_not_published_as_the_program_before(simulation: Simulation) -> None:
    """However long it takes to find the owner; a service that restarts goes on with its counters."""
    simulation.host.run(10, b"nginx", 100)
    simulation.kernel.tcp.open(tcp(1), drops=3)
    simulation.tick(20)
    simulation.kernel.tcp.close(1)
    simulation.tick()
    # Each look at one of very many processes takes long.
    simulation.walk_cost = 0.01
    for pid in range(1000, 1060):
        simulation.host.run(pid, b"idle")
    simulation.host.run(11, b"python", 200)
    simulation.kernel.tcp.open(tcp(2), length=10)
    for _ in range(2000):
        simulation.tick()
        assert ("0.0.0.0", "nginx") not in simulation.published()
        if simulation.published() == [("0.0.0.0", "python")]:
            break
    assert simulation.published() == [("0.0.0.0", "python")]
    simulation.walk_cost = 0.0
    simulation.kernel.tcp.close(2)
    del simulation.host.processes[11]
    simulation.host.run(10, b"nginx", 300)
    simulation.kernel.tcp.open(tcp(3), drops=2)
    simulation.run_for(2)
    assert simulation.published() == [("0.0.0.0", "nginx")]
    assert simulation.listener("0.0.0.0").group.drops == 5


def test_rule_about_a_process_applies_when_the_owner_is_known() -> None:
    simulation = Simulation("rules: [{name: hidden, match: {process: sshd}, export: false}]")
    simulation.host.run(10, b"nginx", 100)
    simulation.host.run(11, b"sshd", 200)
    simulation.kernel.tcp.open(tcp(1, "10.0.0.1"), tcp(2, "10.0.0.2"))
    simulation.tick()
    assert simulation.published() == [("10.0.0.1", "nginx")]


def test_new_socket_of_a_known_group_gets_its_owner(simulation: Simulation) -> None:
    simulation.host.run(10, b"nginx", 100, 200)
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    simulation.kernel.tcp.open(tcp(2))
    simulation.tick()
    assert simulation.published() == [("0.0.0.0", "nginx")]
    assert simulation.host.full_searches == 3, "processes are listed for new ones as well"


def test_listeners_that_close_cost_no_walk(simulation: Simulation) -> None:
    simulation.host.run(10, b"nginx", 100, 200)
    simulation.kernel.tcp.open(tcp(1), tcp(2))
    simulation.tick()
    simulation.kernel.tcp.close(2)
    simulation.tick(10)
    assert simulation.host.full_searches == 1


def test_socket_whose_owner_is_denied_makes_the_source_unhealthy(simulation: Simulation) -> None:
    """So that it can be seen without which privileges, and how many listeners have no owner."""
    simulation.host.run(10, b"secret", 100)
    simulation.host.denied = {10}
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    runner = simulation.runner("owners")
    assert not runner.healthy(simulation.clock.now)
    assert runner.stats.errors == {"capabilities": 1}
    assert simulation.sampler.owners.sockets_without_owner == 1
    assert simulation.published() == [("0.0.0.0", "")]


def test_mptcp_listener_is_known_by_its_inode(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1, "10.0.0.1"), tcp(2, "10.0.0.2"))
    simulation.kernel.unix.open(unix(3))
    simulation.kernel.mptcp = frozenset({200})
    simulation.tick()
    assert [simulation.listener(at).mptcp for at in ("10.0.0.1", "10.0.0.2")] == [False, True]


def test_owners_are_given_only_where_one_may_still_change() -> None:
    """A host has many namespaces, and in most of them nothing happens."""
    others = FakeAccess()
    others.add(1, name="blue")
    simulation = Simulation(others=others)
    simulation.host.run(10, b"nginx", 100, 200)
    simulation.kernel.tcp.open(tcp(1, "10.0.0.1"))
    simulation.tick(2)
    revision = simulation.listener("10.0.0.1").revision
    simulation.host.run(11, b"redis", 101)
    others.kernels["blue"].tcp.open(tcp(2, port=81, inode=101))
    simulation.tick(3)
    (blue,) = simulation.sampler.namespace_scheduler.samplers
    assert listener_of(blue, "0.0.0.0", "81").owner is not None
    assert simulation.listener("10.0.0.1").revision == revision


def programs_at(simulation: Simulation, address: str = "0.0.0.0") -> dict[str, tuple[int | None, int]]:
    """Length and number of sockets of each program's listener at an address."""
    return {
        state.owner.process if state.owner else "": (state.group.length, len(state.group.members))
        for state in simulation.namespace.table.states.values()
        if state.group.members and state.group.key.address == address
    }


def test_programs_that_share_a_port_are_listeners_of_their_own(simulation: Simulation) -> None:
    """The one whose socket is full is named, and what it dropped is its own."""
    simulation.host.run(10, b"blue", 100, 200)
    simulation.host.run(11, b"green", 300)
    simulation.kernel.tcp.open(tcp(1), drops=1)
    simulation.kernel.tcp.open(tcp(2), drops=2)
    simulation.kernel.tcp.open(tcp(3), length=10, drops=40)
    simulation.tick(3)
    assert programs_at(simulation) == {"blue": (0, 2), "green": (10, 1)}
    drops = {state.group.program: state.group.drops for state in simulation.namespace.table.states.values()}
    assert drops == {"blue": 3, "green": 40}
    assert simulation.published() == [("0.0.0.0", "blue"), ("0.0.0.0", "green")]


def test_a_program_that_shares_a_port_later_is_not_published_as_the_first(simulation: Simulation) -> None:
    simulation.host.run(10, b"blue", 100)
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick(3)
    blue = simulation.listener("0.0.0.0")
    simulation.host.run(11, b"green", 200)
    simulation.kernel.tcp.open(tcp(2), length=10, drops=40)
    simulation.tick(3)
    assert programs_at(simulation) == {"blue": (0, 1), "green": (10, 1)}
    assert blue.group.drops == 0
    assert blue.owner is not None
    assert blue.owner.process == "blue"


def test_what_is_left_of_a_shared_port_keeps_its_histories(simulation: Simulation) -> None:
    simulation.host.run(10, b"blue", 100)
    simulation.host.run(11, b"green", 200)
    simulation.kernel.tcp.open(tcp(1))
    simulation.kernel.tcp.open(tcp(2), length=10, drops=40)
    simulation.tick(11)
    (green,) = (state for state in simulation.namespace.table.states.values() if state.group.length)
    simulation.kernel.tcp.close(1)
    del simulation.host.processes[10]
    simulation.tick(10)
    assert simulation.published() == [("0.0.0.0", "green")]
    assert simulation.listener("0.0.0.0") is green
    assert green.accept.full_seconds() == pytest.approx(1.0, abs=0.05)
    assert green.group.drops == 40


def test_sockets_of_one_program_in_several_processes_are_one_listener(simulation: Simulation) -> None:
    for pid in range(3):
        simulation.host.run(10 + pid, b"nginx", 100 * (pid + 1), cgroup=b"/unit-%d.service" % pid)
    simulation.kernel.tcp.open(tcp(1), tcp(2), tcp(3), length=2)
    simulation.tick(3)
    assert programs_at(simulation) == {"nginx": (6, 3)}
    units = [owner.unit for owner in simulation.listener("0.0.0.0").owners]
    assert units == ["unit-0.service", "unit-1.service", "unit-2.service"]


def test_programs_are_one_listener_where_no_label_tells_them_apart() -> None:
    simulation = Simulation("labels: []")
    simulation.host.run(10, b"blue", 100)
    simulation.host.run(11, b"green", 200)
    simulation.kernel.tcp.open(tcp(1), tcp(2), length=2)
    simulation.tick(3)
    assert programs_at(simulation) == {"blue": (4, 2)}
    simulation.configure("labels: [process]")
    simulation.tick(2)
    assert programs_at(simulation) == {"blue": (2, 1), "green": (2, 1)}
    simulation.configure("labels: []")
    simulation.tick(2)
    assert programs_at(simulation) == {"blue": (4, 2)}


def test_a_program_that_takes_over_an_open_socket_starts_anew(simulation: Simulation) -> None:
    """As with socket activation: nothing is opened or closed."""
    simulation.host.run(1, b"systemd", 100)
    simulation.kernel.tcp.open(tcp(1), length=10, drops=7)
    simulation.tick(21)
    assert simulation.published() == [("0.0.0.0", "systemd")]
    simulation.host.run(20, b"shopd", 100)
    simulation.run_for(3.0)
    assert simulation.published() == [("0.0.0.0", "shopd")]
    shop = simulation.listener("0.0.0.0")
    assert shop.group.drops == 7
    assert shop.accept.full_seconds() == pytest.approx(1.5, abs=1.5)
    del simulation.host.processes[20]
    simulation.run_for(3.0)
    assert simulation.published() == [("0.0.0.0", "systemd")]
    assert simulation.listener("0.0.0.0").accept.full_seconds() == pytest.approx(4.0, abs=3.0)


def test_a_full_queue_that_another_program_takes_over_is_told_and_recorded(
    simulation: Simulation, caplog: pytest.LogCaptureFixture
) -> None:
    simulation.host.run(1, b"systemd", 100)
    simulation.kernel.tcp.open(tcp(1), length=10)
    simulation.run_for(5.0)
    simulation.host.run(20, b"shopd", 100)
    simulation.run_for(5.0)
    recordings = {
        state.owner.process if state.owner is not None else "": [change.length for change in changes]
        for state, _, changes in simulation.sampler.recorder.recordings(simulation.clock.now, 60.0)
    }
    assert recordings["shopd"][-1] == 10
    assert recordings["systemd"][-1] is None
    told = [record.__dict__["fields"]["process"] for record in caplog.records if "is full" in record.message]
    assert told == ["systemd", "shopd"]


def test_a_rule_for_the_address_applies_where_only_that_changes(simulation: Simulation) -> None:
    """Without programs in labels a socket stays where it is, and its file may be renamed."""
    simulation.configure(
        "{labels: [unit], rules: [{name: app, match: {address: /run/app.sock}, accept: {warning: 1}}]}"
    )
    simulation.host.run(10, b"app", 700)
    simulation.kernel.unix.open(unix(7, b"/run/app.sock.tmp", file=FileId(1, 1)))
    simulation.run_for(3.0)
    simulation.host.socket_files.default = SocketFile(SocketFileState.RENAMED, b"/run/app.sock")
    simulation.host.socket_files.version += 1
    simulation.run_for(3.0)
    (state,) = simulation.sampler.published(simulation.clock.now)
    assert (state.group.key.address, state.rule_match and state.rule_match.rule) == ("/run/app.sock", "app")


def addresses(simulation: Simulation) -> list[tuple[str, int | None]]:
    """Address as it is shown, and length, of each listener that has series."""
    with simulation.sampler.lock:
        states = simulation.sampler.published(simulation.clock.now)
    return sorted((state.key().address, state.group.length) for state in states)


def test_unix_sockets_with_one_path_are_told_apart_by_their_files(simulation: Simulation) -> None:
    """Whatever it is that has them: two mount namespaces, or a path that was bound again."""
    simulation.host.run(10, b"app", 700)
    simulation.host.run(11, b"hung", 800)
    simulation.kernel.unix.open(unix(7, file=FileId(1, 1)))
    simulation.kernel.unix.open(unix(8, file=FileId(2, 1)), length=10)
    simulation.tick(3)
    assert programs_at(simulation, "/run/app.sock") == {"app": (0, 1), "hung": (10, 1)}
    assert addresses(simulation) == [("/run/app.sock", 0), ("/run/app.sock", 10)]


def test_unix_sockets_with_equal_labels_have_addresses_that_differ(simulation: Simulation) -> None:
    """Two series with equal labels would make the whole page void."""
    simulation.host.run(10, b"app", 700, 800)
    simulation.kernel.unix.open(unix(7, file=FileId(1, 1)))
    simulation.tick(3)
    assert addresses(simulation) == [("/run/app.sock", 0)]
    simulation.kernel.unix.open(unix(8, file=FileId(1, 2)), length=10)
    simulation.tick(3)
    assert addresses(simulation) == [("/run/app.sock", 0), ("/run/app.sock (inode 800)", 10)]
    simulation.kernel.unix.close(7)
    simulation.tick(3)
    assert addresses(simulation) == [("/run/app.sock", 10)]


def test_abstract_names_that_differ_in_padding_are_two_listeners(simulation: Simulation) -> None:
    simulation.kernel.unix.open(unix(7, b"\0x"), unix(8, b"\0x\0\0\0"))
    simulation.run_for(1.5)
    assert addresses(simulation) == [("@x", 0), ("@x (inode 800)", 0)]


def test_a_unix_listener_that_restarts_goes_on_with_another_file(simulation: Simulation) -> None:
    simulation.host.run(10, b"app", 700, 800)
    simulation.kernel.unix.open(unix(7, file=FileId(1, 1)), length=10)
    simulation.tick(11)
    app = simulation.listener("/run/app.sock", "")
    simulation.kernel.unix.close(7)
    simulation.tick(3)
    simulation.kernel.unix.open(unix(8, file=FileId(1, 2)))
    simulation.tick(3)
    assert simulation.listener("/run/app.sock", "") is app
    assert app.accept.full_seconds() == pytest.approx(0.55, abs=0.1)


def test_to_find_out_whether_owners_are_the_same_takes_short_steps(simulation: Simulation) -> None:
    """So that a new socket does not wait for long; for that ten milliseconds are read at once."""
    for pid in range(10, 60):
        simulation.host.run(pid, b"web", pid * 100)
        simulation.kernel.tcp.open(tcp(pid, port=pid))
    simulation.tick()
    simulation.walk_cost = 0.0004
    spent = [simulation.clock.spent]
    for _ in range(round(4.0 / TICK_SECONDS)):
        simulation.tick()
        spent.append(simulation.clock.spent)
    assert 0.001 < max(after - before for before, after in pairwise(spent)) <= 0.0014
    simulation.kernel.tcp.open(tcp(77, port=77))
    spent = [simulation.clock.spent]
    for _ in range(round(1.0 / TICK_SECONDS)):
        simulation.tick()
        spent.append(simulation.clock.spent)
    assert max(after - before for before, after in pairwise(spent)) > 0.01
