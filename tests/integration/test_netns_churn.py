"""Namespaces that are made and removed: found soon, gone soon, never held, never confused."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from testbed import syscalls
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.repeated import repeated
from testbed.waiting import equals, until
from tests.integration.churn import Churn
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import (
    descriptors,
    listeners,
    listeners_of,
    namespaces_of,
    only,
    resident_mib,
    samples,
    supervisor_and_broker,
    until_shown,
    watching,
)

log = logging.getLogger(__name__)
pytestmark = pytest.mark.netns

MAX_GROWTH_MIB = 8
EVERYONE = "sampling: {interval: 10ms, cpu_budget: 50%}\n"


@contextmanager
def pages_checked(daemon: Daemon, churn: Churn) -> Iterator[list[int]]:
    """Scrape without pause and check each page; yields how many listeners each one showed."""
    shown: list[int] = []
    with repeated(lambda: shown.append(churn.check(daemon.metrics())), pause_seconds=0.05):
        yield shown


def churn_and_settle(daemon: Daemon, churn: Churn, count: int, per_second: float) -> None:
    """Make and remove a few, then `count`; fails where those leave anything behind."""
    _, broker = supervisor_and_broker(daemon)
    churn.run(10, per_second)
    churn.end()
    until(lambda: churn.check(daemon.metrics()), equals(0))
    before = descriptors(daemon.pid), descriptors(broker)
    memory = resident_mib(daemon.pid), resident_mib(broker)
    with pages_checked(daemon, churn) as shown:
        churn.run(count, per_second)
        until(lambda: shown[-1:] > [0], bool)
    churn.end()
    until(lambda: churn.check(daemon.metrics()), equals(0))
    until(lambda: (descriptors(daemon.pid), descriptors(broker)), lambda now: now <= before)
    after = resident_mib(daemon.pid), resident_mib(broker)
    log.info(
        "%d namespaces, shown %d times on %d pages; MiB %s, then %s",
        count,
        sum(shown),
        len(shown),
        memory,
        after,
    )
    assert after[0] < memory[0] + MAX_GROWTH_MIB
    assert after[1] < memory[1] + MAX_GROWTH_MIB
    assert figure(daemon, "exporter_broker_restarts_total") == 0
    assert "Traceback" not in daemon.log


def test_names_that_are_given_again_and_again_leave_nothing_behind() -> None:
    """Twenty names, each given again at once: a page shows under a name one of the namespaces that had it."""
    with Namespaces() as namespaces, watching(only("again-*")) as daemon:
        churn = Churn(namespaces, names=tuple(f"again-{index}" for index in range(20)))
        until_figure(daemon, 1, "exporter_namespaces")
        churn_and_settle(daemon, churn, count=60, per_second=20)
        until_figure(daemon, 1, "exporter_namespaces")


def test_namespaces_of_processes_that_come_and_go_leave_nothing_behind() -> None:
    """The kernel gives their inode numbers again."""
    with Namespaces() as namespaces, watching(EVERYONE) as daemon:
        churn_and_settle(daemon, Churn(namespaces), count=60, per_second=20)


def device_exists(device: str) -> bool:
    return device in (name for _, name in socket.if_nameindex())


def seconds_until_gone(*devices: str) -> list[float]:
    """How long from now each of these devices stays."""
    began = time.monotonic()
    gone: dict[str, float] = {}

    def count_gone() -> int:
        for device in devices:
            if device not in gone and not device_exists(device):
                gone[device] = time.monotonic() - began
        return len(gone)

    until(count_gone, lambda count: count == len(devices))
    return [gone[device] for device in devices]


def test_a_container_that_dies_takes_its_namespace_along_while_it_is_sampled_at_full_speed() -> None:
    """At most a second later than one that is not sampled.

    One of three has to: the kernel removes namespaces one after the other, those of other tests as well.
    """
    with Namespaces() as namespaces:
        unsampled = [namespaces.container() for _ in range(3)]
        sampled = [namespaces.container() for _ in range(3)]
        for index, made in enumerate((*unsampled, *sampled)):
            made.veth(f"10.98.{index}.1/30", f"10.98.{index}.2/30", device=f"{made.inode}")
            made.listen_tcp(8080)
        with watching(only(*(str(made.inode) for made in sampled))) as daemon:
            for made in sampled:
                until_shown(daemon, str(made.inode), (8080, 128))
            later = []
            for a_sampled, an_unsampled in zip(sampled, unsampled, strict=True):
                a_sampled.stop()
                an_unsampled.stop()
                sampled_one, other = seconds_until_gone(str(a_sampled.inode), str(an_unsampled.inode))
                log.info("gone after %.3f s, one that is not sampled after %.3f s", sampled_one, other)
                later.append(sampled_one - other)
            assert min(later) < 1


def discoveries_until(daemon: Daemon, holds: Callable[[], bool]) -> float:
    """How many discoveries of namespaces there had been when `holds` was last false."""
    began = time.monotonic()
    first = seen = samples(daemon, "namespaces")

    def check() -> bool:
        nonlocal seen
        before = samples(daemon, "namespaces")
        if holds():
            return True
        seen = before
        return False

    until(check, bool)
    log.info("after %.2f s", time.monotonic() - began)
    return seen - first


def test_a_namespace_is_on_the_page_soon_after_its_start_and_off_it_soon_after_its_end() -> None:
    """There is a discovery each second; one may have begun already, and owners have a second to be found."""
    with Namespaces() as namespaces, watching(EVERYONE) as daemon:
        for backlog in (1234, 1235):
            made = namespaces.container()
            made.listen_tcp(8080, backlog=backlog)
            shown, name = (8080, backlog), str(made.inode)
            assert discoveries_until(daemon, lambda: listeners_of(daemon, name) == {shown}) <= 3  # noqa: B023  (called at once)
            made.stop()
            assert discoveries_until(daemon, lambda: shown not in listeners_of(daemon, name)) <= 2  # noqa: B023  (called at once)


def test_a_name_without_a_process_is_sampled_until_it_is_removed() -> None:
    """It has counters, and no listener."""
    with Namespaces() as namespaces, watching(only("lonely")) as daemon:
        namespaces.named("lonely").stop()
        overflows = "netns_listen_overflows_total"
        assert discoveries_until(daemon, lambda: figure(daemon, overflows, netns="lonely") == 0) <= 2
        until_figure(daemon, 2, "exporter_namespaces")
        namespaces.remove_name("lonely")
        assert discoveries_until(daemon, lambda: namespaces_of(daemon.metrics()) == {"host"}) <= 2
        until_figure(daemon, 1, "exporter_namespaces")


def test_a_namespace_that_gets_a_name_and_a_port_of_another_has_no_history() -> None:
    """The name is mounted over with another namespace at once."""
    file = Path("/run/netns/again")
    with Namespaces() as namespaces, ExitStack() as stack, watching(only("again")) as daemon:
        first = namespaces.named("again")
        first.listen_tcp(8080, backlog=1)
        first.fill_tcp(8080, 2)
        full = "accept_full_seconds_total"
        until(lambda: figure(daemon, full, netns="again") or 0, lambda seconds: seconds > 0.2)
        for backlog in (7, 8, 9):
            another = namespaces.container()
            another.listen_tcp(8080, backlog=backlog)
            syscalls.mount_same(f"/proc/{another.pid}/ns/net", str(file))
            stack.callback(syscalls.unmount, str(file))
            page = until(daemon.metrics, lambda page: listeners(page).get("again") == {(8080, backlog)})  # noqa: B023
            for name in (full, "accept_peak_length", "accept_length"):
                assert page.value(f"listen_queue_{name}", netns="again") == 0


def test_a_reload_stops_and_starts_the_sampling_of_other_namespaces() -> None:
    with Namespaces() as namespaces:
        namespaces.named("web").listen_tcp(8080, backlog=77)
        with watching(only("web"), "--web.enable-lifecycle") as daemon:
            until_shown(daemon, "web", (8080, 77))
            daemon.config_file.write_text(only("web", enabled="false"))
            assert daemon.request("/-/reload", "POST").status == 200
            until(lambda: namespaces_of(daemon.metrics()), lambda found: found == {"host"})
            until(lambda: listeners(daemon.metrics()).keys(), equals({"host"}))
            until_figure(daemon, 1, "exporter_namespaces")
            until_figure(daemon, None, "exporter_source_success", source="namespaces")
            daemon.config_file.write_text(only("web"))
            assert daemon.request("/-/reload", "POST").status == 200
            until_shown(daemon, "web", (8080, 77))
            until_figure(daemon, 1, "exporter_source_success", source="namespaces")
