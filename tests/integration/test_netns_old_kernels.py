"""Kernels before 5.3, such as 4.18, which have neither pidfds nor cookies of namespaces."""

from __future__ import annotations

import errno
import signal
import socket

import pytest

from testbed import seccomp
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.integration.foreign_sender import Ready
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import (
    descriptors,
    inside,
    listeners,
    only,
    sampled,
    success,
    until_shown,
    watching,
)

pytestmark = pytest.mark.netns

SO_NETNS_COOKIE = 71


def be_old() -> None:
    """Have the kernel lack them for this process and the daemons that it starts."""
    seccomp.deny_call("pidfd_open", errno.ENOSYS)
    seccomp.deny_socket_option(SO_NETNS_COOKIE, errno.ENOPROTOOPT)


def devices() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def test_containers_are_sampled_and_nothing_of_them_stays_open() -> None:
    with Namespaces() as namespaces:
        made = [namespaces.container() for _ in range(3)]
        for index, each in enumerate(made):
            each.veth(f"10.98.{index}.1/30", f"10.98.{index}.2/30", device=str(each.inode))
            each.listen_tcp(8080, backlog=100 + index)
        names = [str(each.inode) for each in made]
        be_old()
        with watching(only("nothing")) as alone:
            until_figure(alone, 1, "exporter_namespaces")
            opened = descriptors(alone.pid)
        with watching(only(*names)) as daemon:
            for index, name in enumerate(names):
                until_shown(daemon, name, (8080, 100 + index))
                before = sampled(daemon, name)
                until(lambda: sampled(daemon, name), lambda now: now > before)  # noqa: B023  (called at once)
                for source in ("inet", "unix", "netstat", "syn_recv"):
                    assert success(daemon, source, name) == 1
            # No more than without them, now or between two samples.
            until(lambda: descriptors(daemon.pid), lambda now: now <= opened)
            for each in made:
                each.stop()
                until(devices, lambda found: str(each.inode) not in found)  # noqa: B023
                until(lambda: listeners(daemon.metrics()).get(str(each.inode)), equals(None))  # noqa: B023
            until_figure(daemon, 1, "exporter_namespaces")
            assert figure(daemon, "exporter_broker_restarts_total") == 0
            assert "level=warn" not in daemon.log
            assert "level=error" not in daemon.log


def test_a_name_that_is_given_again_has_no_history() -> None:
    with Namespaces() as namespaces:
        made = namespaces.named("again")
        made.listen_tcp(8080, backlog=1)
        made.fill_tcp(8080, 2)
        be_old()
        with watching(only("again")) as daemon:
            full = "accept_full_seconds_total"
            until(lambda: figure(daemon, full, netns="again") or 0, lambda seconds: seconds > 0.2)
            for backlog in (7, 8, 9):
                made.stop()
                namespaces.remove_name("again")
                made = namespaces.named("again")
                made.listen_tcp(8080, backlog=backlog)
                page = until(daemon.metrics, lambda page: listeners(page).get("again") == {(8080, backlog)})  # noqa: B023
                for name in (full, "accept_peak_length", "accept_length"):
                    assert page.value(f"listen_queue_{name}", netns="again") == 0


def listen_on_8081(ready: Ready) -> None:
    """Listen until it is killed."""
    with socket.create_server(("0.0.0.0", 8081), backlog=7):
        ready()
        while True:
            signal.pause()


def test_a_namespace_whose_first_process_ends_is_sampled_on_by_way_of_another() -> None:
    with Namespaces() as namespaces:
        made = namespaces.container()
        name = str(made.inode)
        made.listen_tcp(8080)
        with inside(made, listen_on_8081):
            be_old()
            with watching(only(name)) as daemon:
                until_shown(daemon, name, (8080, 128), (8081, 7))
                made.stop()
                until_shown(daemon, name, (8081, 7))
                before = sampled(daemon, name)
                until(lambda: sampled(daemon, name), lambda now: now > before)
