"""The exporter without its broker: what is left of the page, and how the rest returns."""

from __future__ import annotations

import os
import time
from signal import SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTERM, Signals

import pytest

from testbed import figures
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.waiting import DEADLINE_SECONDS, equals, until
from tests.broker.broker_processes import state
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import (
    exporter_of_own_namespace,
    listeners,
    only,
    relative_rates,
    sampled,
    supervisor_and_broker,
    until_shown,
    watching,
)

pytestmark = pytest.mark.netns

CONFIG = only("other-*")


def populate(namespaces: Namespaces) -> dict[str, set[tuple[int, int]]]:
    """Three named namespaces, each with one listener; returns port and backlog by name."""
    shown = {f"other-{index}": {(8000 + index, 100 + index)} for index in range(3)}
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


def until_others_have_failed(daemon: Daemon) -> None:
    """Return when the page has no series of other namespaces but that their sources fail."""
    until(lambda: listeners(daemon.metrics()).keys(), equals({"host"}))
    until_figure(daemon, None, "netns_listen_overflows_total", netns="other-0")
    for name in ("other-0", "other-1", "other-2"):
        until_success(daemon, 0, "inet", name)
    until_success(daemon, 0, "namespaces", "host")
    until_success(daemon, 1, "inet", "host")


def until_success(daemon: Daemon, wanted: float, source: str, name: str) -> None:
    until_figure(daemon, wanted, "exporter_source_success", source=source, netns=name)


@pytest.mark.parametrize("keeps_open", [True, False])
@pytest.mark.fault(
    "the broker is killed, while namespaces are kept open and while they are not",
    "no wrong listener on any page, all is back with another broker, and it is counted",
)
def test_a_killed_broker_is_counted_and_no_wrong_listener_is_shown_meanwhile(keeps_open: bool) -> None:  # noqa: FBT001
    with Namespaces() as namespaces:
        shown = populate(namespaces)
        with watching(CONFIG, keeps_open=keeps_open) as daemon:
            until_all_shown(daemon, shown)
            slowest = 0.0
            for restarts in (1, 2):
                _, broker = supervisor_and_broker(daemon)
                os.kill(broker, SIGKILL)
                ended = time.monotonic()
                while figure(daemon, "exporter_broker_restarts_total") != restarts:
                    assert time.monotonic() < ended + DEADLINE_SECONDS
                    page = listeners(daemon.metrics())
                    assert {name: page[name] for name in shown if name in page}.items() <= shown.items()
                for name, pairs in shown.items():
                    until_sampled_more(daemon, name, 3)
                    until_success(daemon, 1, "inet", name)
                    until_shown(daemon, name, *pairs)
                    until_figure(daemon, 1, "accept_length", netns=name)
                until_success(daemon, 1, "namespaces", "host")
                slowest = max(slowest, time.monotonic() - ended)
            figures.note(
                f"{'kept open' if keeps_open else 'not kept open'}: all is back after {slowest:.1f} s"
            )
            assert figure(daemon, "exporter_broker_restarts_total") == 2
            until_figure(daemon, 4, "exporter_namespaces")


@pytest.mark.fault(
    "SIGSTOP of the broker while namespaces are kept open",
    "they are sampled on; a new one is found after SIGCONT, and meanwhile success is 0 for that",
)
def test_while_the_broker_is_stopped_what_is_open_is_sampled_on_and_what_is_new_is_found_later() -> None:
    with Namespaces() as namespaces:
        shown = populate(namespaces)
        with watching(CONFIG) as daemon:
            until_all_shown(daemon, shown)
            _, broker = supervisor_and_broker(daemon)
            os.kill(broker, SIGSTOP)
            namespaces.named("other-new").listen_tcp(8080, backlog=7)
            until_success(daemon, 0, "namespaces", "host")
            for name, pairs in shown.items():
                until_sampled_more(daemon, name, 10)
                until_success(daemon, 1, "inet", name)
                until_shown(daemon, name, *pairs)
            assert "other-new" not in listeners(daemon.metrics())
            os.kill(broker, SIGCONT)
            until_shown(daemon, "other-new", (8080, 7))
            until_success(daemon, 1, "namespaces", "host")
            assert figure(daemon, "exporter_broker_restarts_total") == 0


@pytest.mark.fault(
    "SIGSTOP of the broker while no namespace is kept open",
    "others leave the page with success 0 and come back after SIGCONT; the own one is sampled as before",
)
def test_where_nothing_stays_open_others_leave_the_page_while_the_broker_is_stopped() -> None:
    """The host is sampled on time, and a listener that opens meanwhile is shown as well."""
    with Namespaces() as namespaces:
        shown = populate(namespaces)
        with (
            listening_sockets.tcp("127.0.0.1", 8080),
            watching(CONFIG, keeps_open=False) as daemon,
            exporter_of_own_namespace() as comparison,
        ):
            until_all_shown(daemon, shown)
            usual = relative_rates(daemon, comparison, ["host"])["host"]
            _, broker = supervisor_and_broker(daemon)
            os.kill(broker, SIGSTOP)
            stopped = time.monotonic()
            meanwhile = relative_rates(daemon, comparison, ["host"])["host"]
            with listening_sockets.tcp("127.0.0.1", 8081):
                until(lambda: figure(daemon, "accept_limit", netns="host", port="8081"), equals(16))
            until_others_have_failed(daemon)
            gone = time.monotonic() - stopped
            figures.note(f"gone after {gone:.1f} s")
            os.kill(broker, SIGCONT)
            went_on = time.monotonic()
            until_all_shown(daemon, shown)
            until_success(daemon, 1, "namespaces", "host")
            figures.note(f"back {time.monotonic() - went_on:.1f} s after SIGCONT")
            figures.note(f"the own one sampled {meanwhile / usual:.0%} as often")
            assert figure(daemon, "exporter_broker_restarts_total") == 0
            assert meanwhile > usual / 2


@pytest.mark.parametrize("number", [SIGTERM, SIGINT, SIGKILL], ids=lambda number: number.name)
@pytest.mark.fault(
    "SIGTERM, SIGINT or SIGKILL while the broker enters namespaces all the time",
    "no process is left",
)
def test_a_daemon_that_ends_leaves_no_process_behind(number: Signals) -> None:
    """While the broker enters namespaces all the time."""
    with Namespaces() as namespaces:
        shown = populate(namespaces)
        with watching(CONFIG, keeps_open=False) as daemon:
            until_all_shown(daemon, shown)
            both = supervisor_and_broker(daemon)
            assert [state(pid) in {"S", "R", "D"} for pid in both] == [True, True]
            daemon.stop(number)
            until(lambda: [state(pid) for pid in both], lambda left: set(left) <= {"", "Z", "X"})
