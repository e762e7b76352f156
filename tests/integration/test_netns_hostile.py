"""Namespaces whose root sends false replies to the exporter, or has thousands of sockets."""

from __future__ import annotations

import resource
import signal
import socket
import time
from collections.abc import Callable

import pytest

from testbed import figures
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.waiting import DEADLINE_SECONDS, equals, until
from tests.integration.foreign_sender import (
    FALSE_BACKLOG,
    FALSE_PORT,
    Ready,
    flood_every_pid,
    reply_to_every_pid,
    reply_to_every_port,
)
from tests.integration.metric_values import figure
from tests.integration.other_namespaces import (
    inside,
    listeners,
    only,
    sampled_of_all,
    success,
    until_shown,
    watching,
)

pytestmark = pytest.mark.netns

HOSTILE = "attack-hostile"
CALM = {f"attack-calm-{index}": (8000 + index, 100 + index) for index in range(3)}
CONFIG = only("attack-*")
# An attack goes on for so long, and until each namespace was sampled so often meanwhile.
ATTACK_SECONDS = 2.0
ATTACK_SAMPLES = 20


def foreign_datagrams(daemon: Daemon, name: str = HOSTILE) -> float:
    return figure(daemon, "exporter_forged_datagrams_total", netns=name) or 0


def samples_since(daemon: Daemon, before: dict[str, float]) -> dict[str, float]:
    return {name: now - before[name] for name, now in sampled_of_all(daemon, before).items()}


def fewest_samples_since(daemon: Daemon, before: dict[str, float]) -> float:
    return min(samples_since(daemon, before).values())


def check_page(daemon: Daemon) -> None:
    """Fail where a page shows a row of the attacker, or anything but the listeners of the calm namespaces."""
    page = daemon.metrics()
    shown = listeners(page)
    for labels in page.all("listen_queue_accept_limit"):
        assert ("port", str(FALSE_PORT)) not in labels
    for name, pair in CALM.items():
        assert shown.get(name) == {pair}
        assert page.value("listen_queue_exporter_source_success", source="inet", netns=name) == 1
    succeeds = page.value("listen_queue_exporter_source_success", source="inet", netns=HOSTILE)
    assert shown.get(HOSTILE, set()) == ({(8080, 99)} if succeeds else set())
    assert FALSE_BACKLOG not in {limit for pairs in shown.values() for _, limit in pairs}


@pytest.mark.parametrize(
    "attacks",
    [
        (reply_to_every_port,),
        (reply_to_every_pid,),
        (flood_every_pid,),
        (reply_to_every_port, reply_to_every_pid, flood_every_pid),
    ],
    ids=lambda attacks: "-and-".join(attack.__name__ for attack in attacks),
)
@pytest.mark.fault(
    "root of a container forges replies to sockets that are opened for each sample, or fills their buffers",
    "no page has a figure from them, they are counted, and all namespaces are sampled meanwhile",
)
def test_false_replies_of_the_root_of_a_container_are_counted_and_never_shown(
    attacks: tuple[Callable[[Ready], None], ...],
) -> None:
    """And every namespace is sampled meanwhile."""
    with Namespaces() as namespaces:
        hostile = namespaces.named(HOSTILE, user_namespace=True)
        hostile.listen_tcp(8080, backlog=99)
        for name, (port, backlog) in CALM.items():
            namespaces.named(name).listen_tcp(port, backlog=backlog)
        # Each sample opens a socket, to which may be sent until it is connected.
        with watching(CONFIG, keeps_open=False) as daemon:
            until_shown(daemon, HOSTILE, (8080, 99))
            for name, pair in CALM.items():
                until_shown(daemon, name, pair)
            before = sampled_of_all(daemon, (HOSTILE, *CALM))
            assert foreign_datagrams(daemon) == 0
            began = time.monotonic()
            with inside(hostile, *attacks):
                while (
                    time.monotonic() < began + ATTACK_SECONDS
                    or not foreign_datagrams(daemon)
                    or fewest_samples_since(daemon, before) < ATTACK_SAMPLES
                ):
                    check_page(daemon)
                    assert time.monotonic() < began + DEADLINE_SECONDS, fewest_samples_since(daemon, before)
            seconds = time.monotonic() - began
            figures.note(f"{foreign_datagrams(daemon):,.0f} datagrams in {seconds:.1f} s")
            assert all(foreign_datagrams(daemon, name) == 0 for name in CALM)
            until(lambda: success(daemon, "inet", HOSTILE), equals(1))
            until_shown(daemon, HOSTILE, (8080, 99))
            check_page(daemon)
            assert figure(daemon, "exporter_broker_restarts_total") == 0


@pytest.mark.fault(
    "root of a container sends forged replies to sockets that the exporter keeps open",
    "none arrives, and no sample fails",
)
def test_a_socket_that_stays_open_cannot_be_reached_and_nothing_is_counted() -> None:
    with Namespaces() as namespaces:
        hostile = namespaces.named(HOSTILE, user_namespace=True)
        hostile.listen_tcp(8080, backlog=99)
        for name, (port, backlog) in CALM.items():
            namespaces.named(name).listen_tcp(port, backlog=backlog)
        with watching(CONFIG) as daemon:
            for name, pair in (CALM | {HOSTILE: (8080, 99)}).items():
                until_shown(daemon, name, pair)
            with inside(hostile, reply_to_every_port, reply_to_every_pid, flood_every_pid):
                before = sampled_of_all(daemon, (HOSTILE, *CALM))
                began = time.monotonic()
                while (
                    time.monotonic() < began + ATTACK_SECONDS
                    or fewest_samples_since(daemon, before) < ATTACK_SAMPLES
                ):
                    check_page(daemon)
                    assert success(daemon, "inet", HOSTILE) == 1
                    assert time.monotonic() < began + DEADLINE_SECONDS, fewest_samples_since(daemon, before)
            assert foreign_datagrams(daemon) == 0


@pytest.mark.fault(
    "root of a container sends forged replies while the exporter starts",
    "no page has a figure from them",
)
def test_what_was_sent_before_a_socket_stays_open_is_counted_and_not_shown() -> None:
    with Namespaces() as namespaces:
        hostile = namespaces.named(HOSTILE, user_namespace=True)
        hostile.listen_tcp(8080, backlog=99)
        for name, (port, backlog) in CALM.items():
            namespaces.named(name).listen_tcp(port, backlog=backlog)
        with inside(hostile, reply_to_every_pid, reply_to_every_port), watching(CONFIG) as daemon:
            for name, pair in (CALM | {HOSTILE: (8080, 99)}).items():
                until_shown(daemon, name, pair)
            check_page(daemon)


MANY, REUSE_PORT = "full-many", 9000
PROCESSES, SOCKETS = 2, 4000
FEW = {f"full-few-{index}": (8000 + index, 100 + index) for index in range(3)}


def listen_with_many_sockets(ready: Ready) -> None:
    """Listen with so many sockets on one port."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kept = []
    for _ in range(SOCKETS):
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(("0.0.0.0", REUSE_PORT))
        opened.listen(1)
        kept.append(opened)
    ready()
    while kept:
        signal.pause()


@pytest.mark.fault(
    "a container with 8,000 listening sockets on one port",
    "it is sampled, and other namespaces no less often",
)
def test_a_namespace_with_thousands_of_sockets_is_sampled_and_others_no_less_often() -> None:
    with Namespaces() as namespaces:
        many = namespaces.named(MANY)
        for name, (port, backlog) in FEW.items():
            namespaces.named(name).listen_tcp(port, backlog=backlog)
        with watching(only("full-*", sampling="interval: 50ms, cpu_budget: 20%")) as daemon:
            for name, pair in FEW.items():
                until_shown(daemon, name, pair)
            with inside(many, *[listen_with_many_sockets] * PROCESSES):
                until(lambda: figure(daemon, "sockets", netns=MANY), equals(PROCESSES * SOCKETS))
                until(lambda: figure(daemon, "accept_limit", netns=MANY), equals(PROCESSES * SOCKETS))
                before = sampled_of_all(daemon, (MANY, *FEW))
                taken = until(lambda: samples_since(daemon, before), lambda now: now[MANY] >= 20)
                assert min(taken.values()) >= taken[MANY] / 2, taken
                for name in (MANY, *FEW):
                    until(lambda: success(daemon, "inet", name), equals(1))  # noqa: B023  (called at once)
                for name, pair in FEW.items():
                    until_shown(daemon, name, pair)
            until(lambda: figure(daemon, "sockets", netns=MANY), equals(None))
            until(lambda: success(daemon, "inet", MANY), equals(1))
