"""Services that stop to accept are named by the right alert in time, and are forgiven when they go on."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.waiting import equals, until
from tests.e2e import services
from tests.e2e.monitoring import Stack
from tests.e2e.process import Process
from tests.e2e.services.service import Listener, Service
from tests.e2e.timing import way
from tests.e2e.waiting_clients import Crowd
from tests.integration.reference import CgroupLocation

_FULL = {"tcp": "ListenQueueFull", "unix": "ListenQueueUnixFull"}


@pytest.mark.netns
@pytest.mark.timeout(180)
def test_each_stopped_service_is_told_of_in_time_until_it_goes_on_and_nobody_else_is(folder: Path) -> None:
    """All at once, so that each can be confused with others; the exporter has no configuration.

    Prometheus, Alertmanager, the receiver and the exporter listen as well.
    """
    with ExitStack() as stack:
        started = _start_all(folder, stack)
        owners = {
            listener.place: (service, listener) for service, _ in started for listener in service.listeners
        }
        watch = stack.enter_context(Stack(folder, stack.enter_context(running())))
        for _, process in started:
            process.freeze()
        crowds = {place: stack.enter_context(Crowd(*owner)) for place, owner in owners.items()}
        filled = {place: crowd.fill() for place, crowd in crowds.items()}
        until(lambda: watch.places(*_FULL.values()), equals(set(owners)))
        _expect_right_alerts(watch, owners, filled)
        for place, crowd in crowds.items():
            if place.protocol == "unix":
                assert crowd.knock() == errno.EAGAIN

        for _, process in started:
            process.thaw()
        thawed = time.time()
        for crowd in crowds.values():
            assert crowd.is_answered()
            until(crowd.waiting, equals(0))
        assert all(service.answers(listener) for service, listener in owners.values())
        until(lambda: watch.places(*_FULL.values()), equals(set()))
        for state in ("firing", "resolved"):
            until(partial(_notified, watch, state), equals(set(owners)))
        for alert in watch.notified("resolved", *_FULL.values()):
            assert thawed < alert.ends < time.time()
        # Whatever else was said, as of short backlogs, was said of these.
        assert watch.ever("ListenQueue.*") == set(owners)
        for protocol, name in _FULL.items():
            assert watch.ever(name) == {place for place in owners if place.protocol == protocol}
        assert watch.ever("ListenQueueOverflow", "ListenQueueStuck") == set()
        watch.expect_soundness()


def _start_all(folder: Path, stack: ExitStack) -> list[tuple[Service, Process]]:
    """Every service whose programs are here, running; the test is skipped where there is none."""
    found = []
    missing = []
    for name, set_up in services.ALL.items():
        (folder / name).mkdir()
        try:
            service = set_up(folder / name)
        except pytest.skip.Exception as reason:
            missing.append(str(reason))
        else:
            found.append((service, stack.enter_context(service.running())))
    if not found:
        pytest.skip("; ".join(missing))
    return found


def _expect_right_alerts(
    watch: Stack,
    owners: Mapping[CgroupLocation, tuple[Service, Listener]],
    filled: Mapping[CgroupLocation, float],
) -> None:
    for alert in watch.told(*_FULL.values()):
        place = alert.place
        service, listener = owners[place]
        assert alert.name == _FULL[place.protocol]
        assert alert.labels["netns"] == "host"
        assert alert.labels["process"] == service.process
        assert alert.labels["severity"] == "critical"
        assert service.process in alert.annotations["summary"]
        assert place.address in alert.annotations["summary"]
        told = set(re.findall(r"\b\d+\b", alert.annotations["description"]))
        assert told >= {str(listener.backlog), str(listener.backlog + 1)}, alert.annotations
        due = way(watch.prometheus, place, filled[place])
        assert alert.starts <= due.evaluated, f"{alert} was due: {due}"


def _notified(watch: Stack, state: str) -> set[CgroupLocation]:
    return {alert.place for alert in watch.notified(state, *_FULL.values()) if alert.receiver == "pager"}
