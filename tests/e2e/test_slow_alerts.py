"""What only time tells: a service that is stuck, and exporters that cannot see or cannot be asked."""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from signal import SIGHUP, SIGKILL
from typing import NamedTuple

import pytest

from testbed import seccomp
from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.e2e import stopped_threads as hang
from tests.e2e.monitoring import Stack
from tests.e2e.services import gunicorn, redis
from tests.e2e.waiting_clients import Crowd
from tests.integration.reference import CgroupLocation

_WATCHER, _DEAD, _MISLED, _HANGING, _BLIND = range(10511, 10516)
# Only the watcher tells of the services, so that nothing is told twice.
_ELSEWHERE = "rules: [{name: services, match: {port: [6379, 8000]}, export: false}]\n"
_DEADLINE_SECONDS = 150.0
_PAUSE_SECONDS = 0.2


class Told(NamedTuple):
    """An alert, the port of the exporter that it is about, and the source that it names."""

    name: str
    exporter: int
    source: str = ""


_WANTED = {
    Told("ListenQueueStuck", _WATCHER),
    Told("ListenQueueExporterDown", _DEAD),
    Told("ListenQueueExporterReloadFailed", _MISLED),
    Told("ListenQueueExporterOmitting", _MISLED),
    Told("ListenQueueExporterStale", _HANGING),
    Told("ListenQueueExporterBlind", _BLIND, "inet"),
    Told("ListenQueueExporterBlind", _BLIND, "unix"),
    Told("ListenQueueExporterBlind", _BLIND, "syn_recv"),
}


@pytest.mark.netns
@pytest.mark.timeout(300)
def test_what_takes_a_minute_to_be_sure_of_is_told_of_once_it_is_sure(folder: Path) -> None:
    """One service accepts nothing, another is as full but accepts slowly; exporters fail, each in its way."""
    with ExitStack() as stack:
        stuck, slow = redis.service(folder), gunicorn.service(folder, backlog=40, workers=1, seconds=2)
        frozen = stack.enter_context(stuck.running())
        stack.enter_context(slow.running())
        frozen.freeze()
        waiting, served = stack.enter_context(Crowd(stuck)), stack.enter_context(Crowd(slow))
        waiting.fill()
        served.join(slow.listener.backlog)

        watcher = stack.enter_context(running(port=_WATCHER))
        dead = stack.enter_context(running(port=_DEAD, config=_ELSEWHERE))
        misled = stack.enter_context(running(port=_MISLED, config=_ELSEWHERE + "max_listeners: 1\n"))
        hanging = stack.enter_context(running(port=_HANGING, config=_ELSEWHERE))
        # Whatever is started from here on may not ask sock_diag, `ss` included.
        seccomp.deny_socket_family(socket.AF_NETLINK, errno.EPERM)
        blind = stack.enter_context(
            running(port=_BLIND, config=_ELSEWHERE + "sampling: {method: sock_diag}\n")
        )
        watch = stack.enter_context(Stack(folder, watcher, dead, misled, hanging, blind))
        dead.stop(SIGKILL)
        misled.config_file.write_text("labels: [colour]\n")
        misled.signal(SIGHUP)
        stack.enter_context(hang.but_first_thread(hanging.pid, lambda: _answers(hanging)))

        _wait(served, lambda: _certain(watch), _WANTED)
        _expect_slow_one_to_look_alike(watch, slow.place.port)
        assert watch.ever("ListenQueueStuck") == {stuck.place}
        # That it is full goes without saying.
        assert _state(watch, "ListenQueueFull", stuck.place) == {"suppressed"}

        frozen.thaw()
        assert waiting.is_answered()
        misled.config_file.write_text(_ELSEWHERE)
        misled.signal(SIGHUP)
        stack.enter_context(running(port=_DEAD, config=_ELSEWHERE))
        _wait(served, lambda: _certain(watch), {told for told in _WANTED if told[1] in (_HANGING, _BLIND)})
        until(lambda: _state(watch, "ListenQueueFull", stuck.place), equals(set()))
        assert stuck.answers(stuck.listener)
        watch.expect_soundness()


def _wait(served: Crowd, found: Callable[[], set[Told]], wanted: set[Told]) -> None:
    """Return when what is found is what is wanted; meanwhile whoever is accepted is followed by another."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while (told := found()) != wanted:
        if time.monotonic() > deadline:
            pytest.fail(
                f"missing {wanted - told} and unexpected {told - wanted} after {_DEADLINE_SECONDS:g} s"
            )
        served.let_in()
        served.knock()
        time.sleep(_PAUSE_SECONDS)


def _certain(watch: Stack) -> set[Told]:
    """The alerts in question that Alertmanager has and does not keep back."""
    return {
        Told(alert.name, int(alert.labels["instance"].rpartition(":")[2]), alert.labels.get("source", ""))
        for alert in watch.alertmanager.alerts()
        if re.match("ListenQueue(Stuck|Exporter)", alert.name) and alert.state == "firing"
    }


def _state(watch: Stack, name: str, place: CgroupLocation) -> set[str]:
    return {alert.state for alert in watch.told(name) if alert.place == place}


def _expect_slow_one_to_look_alike(watch: Stack, port: str) -> None:
    """It was full all the time and its oldest client's wait grew as fast as time, else nothing is shown."""
    wait = f'listen_queue_accept_oldest_wait_seconds{{port="{port}"}}'
    grown = watch.prometheus.value(f"max_over_time(({wait} - {wait} offset 75s)[1m:1s])")
    assert grown is not None
    assert grown > 0.9 * 75
    full = watch.prometheus.value(
        f'avg_over_time(listen_queue_accept_utilization_ratio{{port="{port}"}}[75s])'
    )
    assert full is not None
    assert full > 0.95


def _answers(daemon: Daemon) -> bool:
    try:
        return daemon.ask("/-/healthy").status == HTTPStatus.OK
    except OSError:
        return False
