"""Half-open connections and those that wait: which listener they are counted at."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.procfs.counters import Sysctls
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.fake_namespace import SYSCTLS
from tests.sampling.sampler_fixture import Stage


def test_syn_recv_connections_are_counted_at_their_listener(stage: Stage) -> None:
    """Several endpoints of one wildcard add up; what fits nobody is counted apart."""
    stage.kernel.tcp.open(tcp(1), tcp(2, "127.0.0.1"))
    stage.kernel.syn.counts = {
        endpoint("10.0.0.1"): 4,
        endpoint("10.0.0.2"): 1,
        endpoint("127.0.0.1"): 2,
        endpoint("10.0.0.1", 9999): 7,
    }
    stage.beat()
    queues = [stage.listener(address).syn_recv for address in ("0.0.0.0", "127.0.0.1")]
    assert [queue.length for queue in queues if queue] == [5, 2]
    assert [queue.ratio for queue in queues if queue] == [0.5, 0.2]
    assert stage.namespace.unmatched == 7


def test_syn_recv_connections_go_back_to_zero(stage: Stage) -> None:
    """The kernel has no row for a listener without any; its peak stays."""
    stage.kernel.tcp.open(tcp(1))
    stage.kernel.syn.counts = {endpoint("10.0.0.1"): 4}
    stage.beat()
    stage.kernel.syn.counts = {}
    stage.until(0.5)
    queue = stage.listener("0.0.0.0").syn_recv
    assert queue is not None
    assert (queue.length, queue.peak_length()) == (0, 4)


def test_listener_without_syn_recv_connections_has_zero(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1))
    stage.kernel.unix.open(unix(2))
    stage.beat()
    queue = stage.listener("0.0.0.0").syn_recv
    assert queue is not None
    assert queue.length == 0
    assert stage.listener("/run/app.sock", "").syn_recv is None


def test_listener_that_opens_takes_its_syn_recv_connections_over(stage: Stage) -> None:
    """The index of listeners is made anew when they change."""
    stage.kernel.tcp.open(tcp(1))
    stage.kernel.syn.counts = {endpoint("127.0.0.1"): 4}
    stage.until(0.5)
    stage.kernel.tcp.open(tcp(2, "127.0.0.1"))
    stage.until(0.5)
    lengths = [queue.length for at in ("0.0.0.0", "127.0.0.1") if (queue := stage.listener(at).syn_recv)]
    assert lengths == [0, 4]


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        (SYSCTLS, 5000),
        (Sysctls(4096, 1024, 2, 0), 5000),
        (Sysctls(4096, 1024, 0, 0), 769),
        (Sysctls(4096, 65536, 0, 0), 5000),
        (Sysctls(4096, None, 0, 0), 5000),
        (Sysctls(None, None, None, None), 5000),
    ],
)
def test_syn_recv_limit_is_lower_where_cookies_are_off(stage: Stage, settings: Sysctls, limit: int) -> None:
    stage.kernel.tcp.open(tcp(1), limit=4999)
    stage.kernel.settings = settings
    stage.beat()
    assert stage.listener("0.0.0.0").syn_recv_limit() == limit


def test_oldest_wait_is_absent_until_it_is_measured(stage: Stage) -> None:
    """Zero stands for nobody waits, and must not stand for nobody looked."""
    stage.kernel.tcp.open(tcp(1))
    stage.beat()
    web = stage.listener("0.0.0.0")
    stage.kernel.tcp.move(1, length=2)
    stage.kernel.waits = {endpoint("10.0.0.1"): 1.5, endpoint("10.0.0.2"): 2.5, endpoint("10.0.0.1", 81): 9.0}
    waits = [web.wait_seconds()]
    for _ in range(2):
        stage.beat()
        waits.append(web.wait_seconds())
    stage.until(1.0)
    waits.append(web.wait_seconds())
    stage.kernel.tcp.move(1, length=0)
    stage.beat()
    waits.append(web.wait_seconds())
    stage.kernel.tcp.move(1, length=1)
    stage.beat()
    waits.append(web.wait_seconds())
    assert waits == [0.0, None, None, 2.5, 0.0, None]


def test_nobody_is_asked_for_waits_where_nobody_waits(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1))
    stage.until(3.0)
    assert stage.kernel.waiting.asked == 0
    assert stage.namespace.waiting.healthy(stage.clock.now)


def test_wait_of_a_connection_that_was_accepted_meanwhile_is_absent(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1), length=1)
    stage.kernel.waits = {endpoint("10.0.0.1"): 1.5}
    stage.until(1.1)
    stage.kernel.waits = {}
    stage.until(1.0)
    assert stage.listener("0.0.0.0").wait_seconds() is None


def test_unix_listener_has_no_wait(stage: Stage) -> None:
    stage.kernel.unix.open(unix(1), length=1)
    stage.beat()
    assert stage.listener("/run/app.sock", "").wait_seconds() is None


def test_a_look_that_failed_is_forgotten_once_nobody_waits(stage: Stage) -> None:
    """An empty queue has an age of 0, whatever went wrong before."""
    stage.kernel.tcp.open(tcp(1), length=1)
    stage.kernel.waiting.error = KernelError("dump failed", "ENOBUFS")
    stage.beat()
    failed = stage.namespace.waiting.healthy(stage.clock.now)
    stage.kernel.tcp.move(1, length=0)
    stage.until(1.1)
    assert (failed, stage.namespace.waiting.healthy(stage.clock.now)) == (False, True)
