"""What samples do to the listeners of a namespace."""

from __future__ import annotations

import pytest

from exporter.config.model import Severity
from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.records import ListenerProtocol
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.fake_namespace import COUNTERS, SYSCTLS
from tests.sampling.sampler_fixture import Stage

FAILED = KernelError("dump failed", "ENOBUFS")
ALL_TCP = ("accept", "syn_recv", "oldest_wait")


def health(stage: Stage, protocol: ListenerProtocol = ListenerProtocol.TCP) -> dict[str, bool]:
    return stage.namespace.publishable(stage.clock.now)[protocol].kinds


def test_sample_is_folded_into_groups_and_histories(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), tcp(2), length=3)
    stage.kernel.unix.open(unix(3, b"/run/a"), length=10)
    stage.beat()
    web, app = stage.listener("0.0.0.0"), stage.listener("/run/a", "")
    assert (web.group.length, web.accept.length, web.accept.ratio) == (6, 6, 0.3)
    assert (app.accept.length, app.accept.ratio) == (10, 1.0)
    stage.kernel.tcp.move(1, length=10)
    stage.beat()
    assert (web.accept.length, web.accept.ratio, app.accept.length) == (13, 1.0, 10)
    stage.beat(10)
    assert web.accept.full_seconds() == pytest.approx(0.5)
    assert app.accept.full_seconds() == pytest.approx(0.55)


def test_samples_of_an_unchanged_listener_count(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1))
    stage.beat(20)
    observed = stage.listener("0.0.0.0").accept.histogram()
    assert observed == ([20] * 8, 0.0)


def test_listener_that_is_gone_leaves_the_page(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), tcp(2, port=81))
    stage.beat()
    assert len(stage.shown()) == 2
    stage.kernel.tcp.close(1)
    stage.beat()
    assert len(stage.shown()) == 1
    assert stage.listener("0.0.0.0").accept.full_seconds() is None


def test_listener_that_restarts_goes_on(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), length=10, drops=3)
    stage.beat(11)
    before = stage.listener("0.0.0.0")
    stage.kernel.tcp.close(1)
    stage.beat(10)
    stage.kernel.tcp.open(tcp(2), length=10, drops=4)
    stage.beat(11)
    again = stage.listener("0.0.0.0")
    assert again is before
    assert again.accept.full_seconds() == pytest.approx(0.05 * (11 + 10))
    assert again.group.drops == 7


def test_listener_that_stays_away_starts_anew(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), length=10)
    stage.kernel.syn.counts = {endpoint("10.0.0.1"): 4}
    stage.beat(11)
    stage.kernel.tcp.close(1)
    stage.beat()
    stage.clock.now += 301.0
    stage.beat()
    assert stage.namespace.states == {}
    stage.kernel.tcp.open(tcp(2), length=0)
    stage.beat()
    assert stage.listener("0.0.0.0").accept.full_seconds() == 0.0


def test_change_of_source_goes_on(stage: Stage) -> None:
    """procfs knows the sockets by other numbers and no limits; who listens is the same."""
    stage.kernel.tcp.open(tcp(1), length=10, drops=3)
    stage.beat(11)
    web = stage.listener("0.0.0.0")
    stage.kernel.tcp.switch()
    stage.beat()
    assert stage.listener("0.0.0.0") is web
    assert (web.accept.length, web.accept.ratio, web.accept.full_seconds()) == (10, None, None)
    assert web.accept.histogram() is None
    assert stage.namespace.methods()["inet"] == "procfs"
    assert health(stage) == {"accept": True, "syn_recv": True, "oldest_wait": True}
    stage.until(1.0)
    assert health(stage) == {"accept": True, "syn_recv": True, "oldest_wait": False}
    assert stage.namespace.waiting.errors == {"procfs": 1}


@pytest.mark.parametrize(
    ("broken", "tcp_shown", "unix_shown"),
    [
        ("tcp", (), True),
        ("unix", ALL_TCP, False),
        ("syn", ("accept", "oldest_wait"), True),
        ("waiting", ("accept", "syn_recv"), True),
        ("netstat", ALL_TCP, True),
    ],
)
def test_source_that_fails_leaves_the_others(
    stage: Stage, broken: str, tcp_shown: tuple[str, ...], *, unix_shown: bool
) -> None:
    """Without the listeners nothing can be said of their other queue; all else goes on."""
    stage.kernel.tcp.open(tcp(1), length=1)
    stage.kernel.unix.open(unix(2))
    stage.beat()
    getattr(stage.kernel, broken).error = FAILED
    stage.until(6.0)
    stage.kernel.unix.move(2, length=5)
    stage.beat()
    assert health(stage) == {source: source in tcp_shown for source in ALL_TCP}
    assert health(stage, ListenerProtocol.UNIX) == {"accept": unix_shown}
    assert stage.namespace.healthy("netstat", stage.clock.now) is (broken != "netstat")
    assert stage.listener("/run/app.sock", "").accept.length == (5 if broken != "unix" else 0)


def test_nothing_is_lost_by_a_failure(stage: Stage) -> None:
    """What changed meanwhile comes with the next good sample, and the gap counts if it is short."""
    stage.kernel.tcp.open(tcp(1), length=10)
    stage.beat()
    stage.kernel.tcp.error = FAILED
    stage.until(2.0)
    stage.kernel.tcp.move(1, length=4)
    stage.kernel.tcp.error = None
    stage.beat()
    web = stage.listener("0.0.0.0")
    assert web.accept.length == 4
    assert web.accept.full_seconds() == pytest.approx(2.05)
    observed = web.accept.histogram()
    assert observed is not None
    assert observed[0] == [0, 0, 0, 1, 1, 1, 1, 2]


def test_counters_and_settings_are_read(stage: Stage) -> None:
    stage.beat()
    assert (stage.namespace.counters, stage.namespace.sysctls) == (COUNTERS, SYSCTLS)


def test_source_that_cannot_work_says_why(stage: Stage) -> None:
    stage.kernel.syn.error = UnavailableError("no sock_diag", "EPERM")
    stage.beat()
    assert stage.namespace.syn_recv.errors == {"EPERM": 1}


def test_threshold_is_crossed_and_released(stage: Stage) -> None:
    """By default a warning at half, a critical level at nine tenths, and five seconds of release."""
    stage.kernel.tcp.open(tcp(1), length=5)
    stage.beat(11)
    accept = stage.listener("0.0.0.0").accept
    assert [accept.active(severity) for severity in Severity] == [True, False]
    assert accept.exceeded_seconds(Severity.WARNING) == pytest.approx(0.5)
    stage.kernel.tcp.move(1, length=4)
    stage.until(4.9)
    assert accept.active(Severity.WARNING)
    stage.until(0.3)
    assert not accept.active(Severity.WARNING)
    assert accept.exceeded_seconds(Severity.WARNING) == pytest.approx(0.55)
