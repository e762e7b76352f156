"""The exporter without the process that enters namespaces: what is left of the page, how it comes back."""

from __future__ import annotations

import logging
import os
import time
from signal import SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTERM, Signals

import pytest

from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.broker.broker_processes import state
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import (
    keeper_and_broker,
    listeners,
    named_on,
    of,
    only,
    sampled,
    samples,
    success,
    until_shown,
    watching,
)

log = logging.getLogger(__name__)
pytestmark = pytest.mark.netns

CONFIG = only("away-*")


def populate(namespaces: Namespaces) -> dict[str, set[tuple[int, int]]]:
    """Three named namespaces, each with a listener of its own, and what the page has to show of them."""
    shown = {f"away-{index}": {(8000 + index, 100 + index)} for index in range(3)}
    for name, pairs in shown.items():
        made = namespaces.named(name)
        for port, backlog in pairs:
            made.listen_tcp(port, backlog=backlog)
            made.fill_tcp(port, 1)
    return shown


def until_all_shown(daemon: Daemon, shown: dict[str, set[tuple[int, int]]]) -> None:
    for name, pairs in shown.items():
        until_shown(daemon, name, *pairs)


def until_sampled_more(daemon: Daemon, name: str, count: int) -> None:
    """Return when the listeners of a namespace were sampled so many times more; fails at the deadline."""
    first = sampled(daemon, name)
    until(lambda: sampled(daemon, name), lambda now: now >= first + count)


def host_samples_a_second(daemon: Daemon, seconds: float) -> float:
    """How fast the own namespace is sampled."""
    began, first = time.monotonic(), sampled(daemon, "host")
    time.sleep(seconds)
    return (sampled(daemon, "host") - first) / (time.monotonic() - began)


def until_others_are_gone(daemon: Daemon) -> None:
    """Return when nothing but their failure is told of others, and fail unless it is told."""
    until(lambda: listeners(daemon.metrics()).keys(), equals({"host"}))
    assert figure(daemon, "netns_listen_overflows_total", netns="away-0") is None
    for name in ("away-0", "away-1", "away-2"):
        assert success(daemon, "inet", name) == 0
    assert success(daemon, "namespaces", "host") == 0
    assert success(daemon, "inet", "host") == 1


def test_a_broker_that_is_killed_is_counted_and_nothing_wrong_is_shown_meanwhile() -> None:
    with Namespaces() as namespaces:
        shown = populate(namespaces)
        with watching(CONFIG) as daemon:
            until_all_shown(daemon, shown)
            for restarts in (1, 2):
                _, broker = keeper_and_broker(daemon)
                os.kill(broker, SIGKILL)
                ended = time.monotonic()
                while figure(daemon, "exporter_broker_restarts_total") != restarts:
                    assert time.monotonic() < ended + 20
                    page = listeners(daemon.metrics())
                    assert {name: page[name] for name in shown if name in page}.items() <= shown.items()
                for name, pairs in shown.items():
                    until_sampled_more(daemon, name, 3)
                    until(lambda: success(daemon, "inet", name), equals(1))  # noqa: B023  (called at once)
                    assert of(daemon, name) == pairs
                    assert figure(daemon, "accept_length", netns=name) == 1
                until(lambda: success(daemon, "namespaces", "host"), equals(1))
                log.info("all is back %.2f s after the end of the broker", time.monotonic() - ended)
            assert figure(daemon, "exporter_broker_restarts_total") == 2
            assert figure(daemon, "exporter_namespaces") == 4


def test_while_the_broker_stands_still_only_others_leave_the_page_and_the_host_is_sampled_on_time() -> None:
    """A listener that opens meanwhile is shown as well."""
    with Namespaces() as namespaces:
        shown = populate(namespaces)
        with listening_sockets.tcp("127.0.0.1", 8080), watching(CONFIG) as daemon:
            until_all_shown(daemon, shown)
            usual = host_samples_a_second(daemon, 1.0)
            _, broker = keeper_and_broker(daemon)
            os.kill(broker, SIGSTOP)
            stopped = time.monotonic()
            meanwhile = host_samples_a_second(daemon, 3.0)
            with listening_sockets.tcp("127.0.0.1", 8081):
                until(lambda: figure(daemon, "accept_limit", netns="host", port="8081"), equals(16))
            until_others_are_gone(daemon)
            gone = time.monotonic() - stopped
            log.info(
                "host: %.1f samples a second, then %.1f; others gone after %.1f s", usual, meanwhile, gone
            )
            os.kill(broker, SIGCONT)
            went_on = time.monotonic()
            until_all_shown(daemon, shown)
            until(lambda: success(daemon, "namespaces", "host"), equals(1))
            log.info("others back after %.1f s", time.monotonic() - went_on)
            assert figure(daemon, "exporter_broker_restarts_total") == 0
            assert meanwhile > usual / 2


def test_without_a_keeper_others_leave_the_page_for_good_and_the_host_stays() -> None:
    with Namespaces() as namespaces:
        shown = populate(namespaces)
        with listening_sockets.tcp("127.0.0.1", 8080) as listener, watching(CONFIG) as daemon:
            until_all_shown(daemon, shown)
            supervisor, broker = keeper_and_broker(daemon)
            os.kill(supervisor, SIGKILL)
            until(lambda: state(broker) in {"", "Z", "X"}, bool)
            until_others_are_gone(daemon)
            until_sampled_more(daemon, "host", 10)
            first = samples(daemon, "inet")
            until(lambda: samples(daemon, "inet"), lambda now: now >= first + 10)
            clients = listening_sockets.clients(listener, 3)
            until_figure(daemon, 3, "accept_length", netns="host", port="8080")
            assert named_on(daemon.metrics()) == {"host", *shown}
            until_others_are_gone(daemon)
            for client in clients:
                client.close()
            assert daemon.stop() == 0
            assert "Traceback" not in daemon.log


@pytest.mark.parametrize("number", [SIGTERM, SIGINT, SIGKILL], ids=lambda number: number.name)
def test_a_daemon_that_ends_leaves_no_process_behind(number: Signals) -> None:
    """While it enters namespaces all the time."""
    with Namespaces() as namespaces:
        shown = populate(namespaces)
        with watching(CONFIG) as daemon:
            until_all_shown(daemon, shown)
            both = keeper_and_broker(daemon)
            assert [state(pid) in {"S", "R", "D"} for pid in both] == [True, True]
            daemon.stop(number)
            until(lambda: [state(pid) for pid in both], lambda left: set(left) <= {"", "Z", "X"})
