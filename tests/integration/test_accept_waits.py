"""How long connections had waited when they left the queue, on a real kernel."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from itertools import pairwise

import pytest

from exporter.config import parse
from exporter.kernel.netns.namespace import own_namespace
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.history.waits import NO_WAITS, WaitHistogram
from exporter.sampling.namespace_sampler import NamespaceSampler, SharedBySamplers
from exporter.sampling.walk_limit import WalkLimit
from testbed import namespace
from testbed.daemon import running
from testbed.waiting import until
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled
from tests.integration.stamped_accepts import TICKS_SECONDS, StampedAccepts, expect_waits
from tests.integration.waits import OLDEST, expect_age, one_client

pytestmark = pytest.mark.netns

# What other tests have connected at the same time makes walks over all connections cost more.
CONFIG = parse("sampling: {cpu_budget: 100%}\ndefaults: {export: full}", "c.yaml")
WAITS = "accept_wait_seconds"
PAUSE_SECONDS = 0.02


class Followed:
    """The listeners of this namespace, asked when a test wants it."""

    def __init__(self) -> None:
        shared = SharedBySamplers(threading.Lock(), SYSTEM_CLOCK, WalkLimit(CONFIG))
        self._sampler = NamespaceSampler(own_namespace(), CONFIG, shared)
        # Before and after each sample.
        self._times: list[tuple[float, float]] = []

    def sample(self, times: int = 1) -> None:
        """Ask so many times for listeners and for what waits at them."""
        for _ in range(times):
            before = time.monotonic()
            for runner in self._sampler.runners:
                if runner.name in {"inet", "oldest_wait"}:
                    runner.run(time.monotonic())
                    assert runner.error is None
            self._times.append((before, time.monotonic()))

    def longest_interval(self) -> float:
        """The longest time between two samples, in seconds."""
        return max(after - before for (before, _), (_, after) in pairwise(self._times))

    def ended(self) -> WaitHistogram:
        """What has left the queues of all listeners, as soon as that is certain."""
        self.sample(3)
        total = NO_WAITS
        for state in self._sampler.table.states.values():
            total = total.plus(state.waits() or NO_WAITS)
        return total

    def count(self) -> int:
        """How many have left them."""
        return sum(self.ended().counts)


def test_each_bucket_is_right_within_one_interval() -> None:
    namespace.write_sysctl("net.core.somaxconn", 1024)
    followed = Followed()
    with listening_sockets.tcp("127.0.0.1", backlog=1024) as listener:
        followed.sample()
        stamped = StampedAccepts(listener, 500, seconds=3.0)
        while stamped.running:
            followed.sample()
            time.sleep(PAUSE_SECONDS)
        histogram = followed.ended()
    expect_waits(histogram.histogram(), stamped.waits(), followed.longest_interval())
    assert sum(histogram.counts) > 250


def test_of_a_group_only_what_one_of_its_sockets_accepts_counts() -> None:
    followed = Followed()
    first, second = (listening_sockets.tcp("127.0.0.1", reuse_port=True) for _ in range(2))
    with first, second:
        clients = listening_sockets.clients(first, 12)
        followed.sample(2)
        accepted = 0
        while select.select([first], [], [], 0)[0]:
            first.accept()[0].close()
            accepted += 1
        assert followed.count() == accepted
        listening_sockets.accept(second, 12 - accepted)
        assert followed.count() == 12
        for client in clients:
            client.close()


def test_what_a_listener_leaves_behind_when_it_closes_does_not_count() -> None:
    followed = Followed()
    listener = listening_sockets.tcp("127.0.0.1")
    clients = listening_sockets.clients(listener, 3)
    followed.sample(2)
    listener.close()
    assert followed.count() == 0
    with listening_sockets.tcp("127.0.0.1") as listener, listening_sockets.clients(listener, 1)[0]:
        followed.sample(2)
        accepted = listening_sockets.accept(listener, 1)
        assert followed.count() == 1
    for each in (*clients, *accepted):
        each.close()


def test_one_that_its_client_reset_has_left_too() -> None:
    followed = Followed()
    with listening_sockets.tcp("127.0.0.1") as listener:
        first, second = listening_sockets.clients(listener, 2)
        followed.sample(2)
        first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        first.close()
        until(followed.count, lambda count: count == 1)
        listening_sockets.accept(listener, 2)
        assert followed.count() == 2
        second.close()


def test_what_a_client_sends_or_closes_while_it_waits_changes_nothing() -> None:
    followed = Followed()
    with listening_sockets.tcp("127.0.0.1") as listener:
        first, second = listening_sockets.clients(listener, 2)
        followed.sample(2)
        first.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        second.close()
        followed.sample(3)
        assert followed.count() == 0
        listening_sockets.accept(listener, 2)
        assert followed.count() == 2
        first.close()


def test_the_page_has_the_waits_of_those_that_were_accepted() -> None:
    with listening_sockets.tcp("127.0.0.1") as listener, running(config=EAGER) as daemon:
        until_figure(daemon, 0, f"{WAITS}_count", port="8080")
        client, since = one_client(listener)
        expect_age(daemon, since, at_least=1.0, port="8080")
        until_sampled(daemon, "oldest_wait")
        before = time.time()
        with listener.accept()[0], client:
            after = time.time()
            until_figure(daemon, 1, f"{WAITS}_count", port="8080")
        until_figure(daemon, 0, OLDEST, port="8080")
        waited = figure(daemon, f"{WAITS}_sum", port="8080")
        interval = figure(daemon, "exporter_sample_interval_seconds", source="oldest_wait")
        assert waited is not None
        assert interval is not None
        assert interval < 1.0
        # A busy machine takes a sample later than it is due.
        error = interval + TICKS_SECONDS + 1.0
        assert before - since[1] - error <= waited <= after - since[0] + error
        assert figure(daemon, f"{WAITS}_bucket", port="8080", le="0.5") == 0
        assert figure(daemon, f"{WAITS}_bucket", port="8080", le="+Inf") == 1
