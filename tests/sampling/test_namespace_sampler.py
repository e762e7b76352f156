"""What samples change in the listeners of a namespace."""

from __future__ import annotations

import pytest

from exporter.broker.readable_files import NAMESPACE_FILES
from exporter.config.model import Severity
from exporter.kernel.errors import KernelError, UnavailableError
from exporter.sampling.namespace_sampler import NAMESPACE_SOURCES
from exporter.sampling.sources.netstat import Netstat
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.fake_namespace import COUNTERS, SYSCTLS
from tests.sampling.simulation import Simulation

FAILED = KernelError("dump failed", "ENOBUFS")
ALL_TCP = frozenset({"accept", "syn_recv", "oldest_wait"})


def healthy(simulation: Simulation, protocol: str = "tcp") -> frozenset[str]:
    """The sources from which figures of a protocol's listeners may be published."""
    sources = simulation.namespace.healthy_sources(simulation.clock.now)[protocol]
    return sources & ALL_TCP


def test_sample_is_folded_into_groups_and_histories(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), tcp(2), length=3)
    simulation.kernel.unix.open(unix(3, b"/run/a"), length=10)
    simulation.tick()
    web, app = simulation.listener("0.0.0.0"), simulation.listener("/run/a", "")
    assert (web.group.length, web.accept.length, web.accept.ratio) == (6, 6, 0.3)
    assert (app.accept.length, app.accept.ratio) == (10, 1.0)
    simulation.kernel.tcp.change(1, length=10)
    simulation.tick()
    assert (web.accept.length, web.accept.ratio, app.accept.length) == (13, 1.0, 10)
    simulation.tick(10)
    assert web.accept.full_seconds() == pytest.approx(0.5)
    assert app.accept.full_seconds() == pytest.approx(0.55)


def test_samples_of_an_unchanged_listener_count(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick(20)
    observed = simulation.listener("0.0.0.0").accept.histogram()
    assert observed == ((20,) * 8, 0.0)


def test_listener_that_is_gone_leaves_the_page(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), tcp(2, port=81))
    simulation.tick()
    assert len(simulation.published()) == 2
    simulation.kernel.tcp.close(1)
    simulation.tick()
    assert len(simulation.published()) == 1
    assert simulation.listener("0.0.0.0").accept.full_seconds() is None


def test_listener_that_restarts_goes_on(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=10, drops=3)
    simulation.tick(11)
    before = simulation.listener("0.0.0.0")
    simulation.kernel.tcp.close(1)
    simulation.tick(10)
    simulation.kernel.tcp.open(tcp(2), length=10, drops=4)
    simulation.tick(11)
    again = simulation.listener("0.0.0.0")
    assert again is before
    assert again.accept.full_seconds() == pytest.approx(0.05 * (11 + 10))
    assert again.group.drops == 7


def test_listener_that_stays_away_starts_anew(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=10)
    simulation.kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): 4}
    simulation.tick(11)
    simulation.kernel.tcp.close(1)
    simulation.tick()
    simulation.clock.now += 301.0
    simulation.tick()
    assert simulation.namespace.table.states == {}
    simulation.kernel.tcp.open(tcp(2), length=0)
    simulation.tick()
    assert simulation.listener("0.0.0.0").accept.full_seconds() == 0.0


def test_change_of_method_goes_on(simulation: Simulation) -> None:
    """procfs has other numbers for the sockets and no limits; the listeners are the same."""
    simulation.kernel.tcp.open(tcp(1), length=10, drops=3)
    simulation.tick(11)
    web = simulation.listener("0.0.0.0")
    simulation.kernel.tcp.change_to_procfs()
    simulation.tick()
    assert simulation.listener("0.0.0.0") is web
    assert (web.accept.length, web.accept.ratio, web.accept.full_seconds()) == (10, None, None)
    assert web.accept.histogram() is None
    assert simulation.runner("inet").method == "procfs"
    assert healthy(simulation) == ALL_TCP
    simulation.run_for(1.0)
    assert healthy(simulation) == ALL_TCP - {"oldest_wait"}
    assert simulation.runner("oldest_wait").stats.errors == {"procfs": 1}


@pytest.mark.parametrize(
    ("broken", "tcp_sources", "unix_published"),
    [
        ("tcp", set(), True),
        ("unix", ALL_TCP, False),
        ("syn_recv_dump", ALL_TCP - {"syn_recv"}, True),
        ("oldest_wait", ALL_TCP - {"oldest_wait"}, True),
        ("netstat", ALL_TCP, True),
    ],
)
def test_source_that_fails_leaves_the_others(
    simulation: Simulation, broken: str, tcp_sources: set[str], *, unix_published: bool
) -> None:
    """Without the listeners nothing can be said of their other queue; all else goes on."""
    simulation.kernel.tcp.open(tcp(1), length=1)
    simulation.kernel.unix.open(unix(2))
    simulation.tick()
    getattr(simulation.kernel, broken).error = FAILED
    simulation.run_for(6.0)
    simulation.kernel.unix.change(2, length=5)
    simulation.tick()
    assert healthy(simulation) == tcp_sources
    assert ("accept" in healthy(simulation, "unix")) is unix_published
    assert simulation.namespace.healthy("netstat", simulation.clock.now) is (broken != "netstat")
    assert simulation.listener("/run/app.sock", "").accept.length == (5 if unix_published else 0)


def test_nothing_is_lost_by_a_failure(simulation: Simulation) -> None:
    """What changed meanwhile comes with the next good sample, and the gap is covered if it is short."""
    simulation.kernel.tcp.open(tcp(1), length=10)
    simulation.tick()
    simulation.kernel.tcp.error = FAILED
    simulation.run_for(2.0)
    simulation.kernel.tcp.change(1, length=4)
    simulation.kernel.tcp.error = None
    simulation.tick()
    web = simulation.listener("0.0.0.0")
    assert web.accept.length == 4
    assert web.accept.full_seconds() == pytest.approx(2.05)
    observed = web.accept.histogram()
    assert observed is not None
    assert observed.cumulative_counts == (0, 0, 0, 1, 1, 1, 1, 2)


def test_counters_and_settings_are_read(simulation: Simulation) -> None:
    simulation.tick()
    netstat = simulation.namespace.source(Netstat)
    assert (netstat.tcp, netstat.sysctls) == (COUNTERS, SYSCTLS)


def test_source_that_fails_counts_the_reason(simulation: Simulation) -> None:
    simulation.kernel.syn_recv_dump.error = UnavailableError("no sock_diag", "EPERM")
    simulation.tick()
    assert simulation.runner("syn_recv").stats.errors == {"EPERM": 1}


def test_threshold_is_exceeded_and_released(simulation: Simulation) -> None:
    """By default a warning at half, a critical level at nine tenths, and five seconds of release."""
    simulation.kernel.tcp.open(tcp(1), length=5)
    simulation.tick(11)
    accept = simulation.listener("0.0.0.0").accept
    assert [accept.active(severity) for severity in Severity] == [True, False]
    assert accept.exceeded_seconds(Severity.WARNING) == pytest.approx(0.5)
    simulation.kernel.tcp.change(1, length=4)
    simulation.run_for(4.9)
    assert accept.active(Severity.WARNING)
    simulation.run_for(0.3)
    assert not accept.active(Severity.WARNING)
    assert accept.exceeded_seconds(Severity.WARNING) == pytest.approx(0.55)


def test_the_broker_opens_every_file_that_a_source_reads(simulation: Simulation) -> None:
    """A file that it does not open would end the sampling of other namespaces."""
    names = {name for runner in simulation.namespace.runners for name in runner.file_names}
    assert names
    assert names <= set(NAMESPACE_FILES)


def test_each_source_of_a_namespace_is_counted_among_the_series(simulation: Simulation) -> None:
    assert [runner.name for runner in simulation.namespace.runners] == list(NAMESPACE_SOURCES)


def test_each_source_has_words_for_what_it_asks_for(simulation: Simulation) -> None:
    assert [runner.asks_for for runner in simulation.namespace.runners] == [
        "TCP listeners",
        "unix listeners",
        "TCP counters and settings",
        "half-open connections",
        "how long the oldest connections have waited",
    ]
