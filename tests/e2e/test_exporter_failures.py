"""Exporters that cannot sample, cannot be scraped or refuse their configuration have an alert each."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from signal import SIGHUP, SIGKILL
from typing import NamedTuple

import pytest

from testbed import seccomp
from testbed.daemon import running
from testbed.waiting import equals, until
from tests.e2e import shipped
from tests.e2e.monitoring import Monitoring
from tests.integration.stopped_thread import sampler_of

pytestmark = pytest.mark.usefixtures("monitoring_release")

_KILLED, _MISCONFIGURED, _HANGING, _BLIND = _PORTS = range(10511, 10515)
# In place of 60 to 90 s.
_DIVISOR = 6
_DEADLINE_SECONDS = 120.0


class ExporterAlert(NamedTuple):
    """An alert, the port of the exporter that it is about, and the source that it names."""

    name: str
    port: int
    source: str = ""


_EXPECTED = {
    ExporterAlert("ListenQueueExporterDown", _KILLED),
    ExporterAlert("ListenQueueExporterReloadFailed", _MISCONFIGURED),
    ExporterAlert("ListenQueueExporterShareExceeded", _MISCONFIGURED),
    ExporterAlert("ListenQueueExporterStale", _HANGING),
    ExporterAlert("ListenQueueExporterBlind", _BLIND, "inet"),
    ExporterAlert("ListenQueueExporterBlind", _BLIND, "unix"),
    ExporterAlert("ListenQueueExporterBlind", _BLIND, "syn_recv"),
}


@pytest.mark.netns
def test_each_failure_of_an_exporter_has_its_alert_until_it_is_over(folder: Path) -> None:
    with ExitStack() as stack:
        rule_files = shipped.shortened_rule_files(folder, _DIVISOR)
        monitoring = stack.enter_context(Monitoring(folder, _PORTS, rule_files))
        killed = stack.enter_context(running(port=_KILLED))
        misconfigured = stack.enter_context(running(port=_MISCONFIGURED, config="max_listeners: 1\n"))
        hanging = stack.enter_context(running(port=_HANGING))
        # For the programs that are started from here on.
        seccomp.deny_socket_family(socket.AF_NETLINK, errno.EPERM)
        stack.enter_context(running(port=_BLIND, config="sampling: {method: sock_diag}\n"))
        monitoring.wait_ready()
        killed.stop(SIGKILL)
        misconfigured.config_file.write_text("labels: [colour]\n")
        misconfigured.signal(SIGHUP)
        stack.enter_context(sampler_of(hanging.pid, hanging.metrics))
        until(partial(_firing, monitoring), equals(_EXPECTED), _DEADLINE_SECONDS)

        misconfigured.config_file.write_text("{}\n")
        misconfigured.signal(SIGHUP)
        stack.enter_context(running(port=_KILLED))
        until(
            partial(_firing, monitoring),
            equals({alert for alert in _EXPECTED if alert.port in (_HANGING, _BLIND)}),
        )
        monitoring.expect_valid_alerts()


def _firing(monitoring: Monitoring) -> set[ExporterAlert]:
    """The alerts about exporters that Alertmanager has and does not suppress."""
    return {
        ExporterAlert(
            alert.name, int(alert.labels["instance"].rpartition(":")[2]), alert.labels.get("source", "")
        )
        for alert in monitoring.alerts()
        if alert.name.startswith("ListenQueueExporter") and alert.state == "firing"
    }
