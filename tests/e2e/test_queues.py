"""How full a queue is, and why, decides which alert names it; its neighbours are named by none."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from testbed import flood, namespace
from testbed.daemon import running
from testbed.waiting import equals, until
from tests.e2e.monitoring import Stack
from tests.e2e.services import gunicorn, haproxy, nginx, redis
from tests.e2e.services.service import Service
from tests.e2e.waiting_clients import Crowd
from tests.integration import reference
from tests.integration.metric_values import figure

_TUN = str(flood.Tun.ipv4.ip)
_MOST_CLIENTS = 500


@pytest.mark.netns
@pytest.mark.timeout(120)
def test_half_full_nearly_full_overflowing_and_full_for_a_moment_are_told_apart(folder: Path) -> None:
    with ExitStack() as stack:
        half, nearly = nginx.service(folder), haproxy.service(folder)
        over, burst = redis.service(folder), gunicorn.service(folder)
        processes = {each.place: stack.enter_context(each.running()) for each in (half, nearly, over, burst)}
        daemon = stack.enter_context(running())
        watch = stack.enter_context(Stack(folder, daemon))
        crowds = {each.place: stack.enter_context(Crowd(each)) for each in (half, nearly, over, burst)}
        for process in processes.values():
            process.freeze()

        crowds[half.place].join((half.listener.backlog + 1) // 2)
        crowds[nearly.place].join(nearly.listener.backlog)
        crowds[over.place].fill()
        for _ in range(3):
            crowds[over.place].knock()
        crowds[burst.place].fill()
        until(lambda: figure(daemon, "accept_full_seconds_total", port=burst.place.port), bool)
        processes[burst.place].thaw()
        assert crowds[burst.place].is_answered()

        for name, wanted in (
            ("ListenQueueFull", {over.place}),
            ("ListenQueueNearlyFull", {nearly.place}),
            ("ListenQueueFilling", {half.place, nearly.place, over.place}),
            ("ListenQueueOverflow", {over.place}),
            ("ListenQueueFullAtTimes", {burst.place}),
        ):
            until(partial(watch.places, name), equals(wanted))
        # What the alert of a fuller queue says already is kept back.
        until(
            lambda: {alert.place for alert in watch.told("ListenQueueFilling") if alert.state == "firing"},
            equals({half.place}),
        )
        # The burst was full when it was, whether or not a scrape came in that moment.
        assert watch.ever("ListenQueueFull") <= {over.place, burst.place}
        assert watch.ever("ListenQueueNearlyFull") == {nearly.place}
        assert watch.ever("ListenQueueOverflow") == {over.place}
        assert watch.ever("ListenQueueFullAtTimes") == {burst.place}
        assert watch.ever("ListenQueueStuck", "ListenQueueSyn.*") == set()
        watch.expect_soundness()


@pytest.mark.netns
@pytest.mark.timeout(120)
def test_a_full_queue_is_told_what_to_change(folder: Path) -> None:
    """A backlog cut by somaxconn, one far below it, and a group of sockets of which one hangs."""
    namespace.write_sysctl("net.core.somaxconn", 64)
    with ExitStack() as stack:
        capped, small = haproxy.service(folder, backlog=4096), redis.service(folder)
        group = nginx.service(folder, backlog=50, reuse_port=True)
        processes = {each.place: stack.enter_context(each.running()) for each in (capped, small, group)}
        watch = stack.enter_context(Stack(folder, stack.enter_context(running())))
        processes[capped.place].freeze()
        processes[small.place].freeze()
        stack.enter_context(Crowd(capped, replace(capped.listener, backlog=64))).fill()
        stack.enter_context(Crowd(small)).fill()
        processes[group.place].freeze_worker()
        _fill_one_socket(stack.enter_context(Crowd(group)), group)

        advice = {
            "ListenQueueBacklogCapped": {capped.place},
            "ListenQueueBacklogSmall": {small.place},
            "ListenQueueReuseportSkewed": {group.place},
        }
        for name, wanted in advice.items():
            until(partial(watch.places, name), equals(wanted))
        until(lambda: watch.places("ListenQueueFull"), equals({capped.place, small.place, group.place}))
        for name, wanted in advice.items():
            assert watch.ever(name) == wanted
            # Somebody is told also while the queue's being full is told of.
            assert {alert.state for alert in watch.told(name)} == {"firing"}
        watch.expect_soundness()


@pytest.mark.netns
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("cookies", "name", "other"),
    [
        (1, "ListenQueueSynCookies", "ListenQueueSynDropping"),
        (0, "ListenQueueSynDropping", "ListenQueueSynCookies"),
    ],
)
def test_a_syn_flood_is_told_by_what_the_kernel_does_about_it(
    folder: Path, cookies: int, name: str, other: str
) -> None:
    """The accept queue stays empty meanwhile, and with cookies real clients get through."""
    namespace.write_sysctl("net.ipv4.tcp_syncookies", cookies)
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        victim, neighbour = nginx.service(folder, address=_TUN), redis.service(folder)
        for service in (victim, neighbour):
            stack.enter_context(service.running())
        watch = stack.enter_context(Stack(folder, stack.enter_context(running())))
        flood.syn_flood(tun, _TUN, int(victim.place.port), 500)
        until(lambda: watch.places(name), equals({victim.place}))
        assert not cookies or victim.answers(victim.listener)
        assert neighbour.answers(neighbour.listener)
        assert watch.ever("ListenQueue.*") == {victim.place}
        assert watch.ever(other) == set()
        watch.expect_soundness()


def _fill_one_socket(crowd: Crowd, group: Service) -> None:
    """Let clients come until the fullest socket is full; the kernel sends each to one of them by chance."""
    for _ in range(_MOST_CLIENTS):
        if reference.from_ss()[group.place].ratio == 1:
            return
        crowd.knock()
    pytest.fail(f"{_MOST_CLIENTS} clients did not fill one socket of {group.place}")
