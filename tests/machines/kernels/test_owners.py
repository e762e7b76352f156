"""Owners where there is cgroup v2 alone: the unit of a listener, also for an exporter without privilege."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.daemon import running
from tests.integration.metric_values import until_figure
from tests.machines import commands
from tests.machines.kernels import CONFIG

_PORT = 8099


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("user", [pytest.param("root", marks=pytest.mark.short), "nobody"])
def test_a_listener_has_the_unit_of_its_service(user: str, seen: Callable[[str, object], None]) -> None:
    assert Path("/sys/fs/cgroup/cgroup.controllers").exists()
    port, exporter_port = (str(_PORT), 10521) if user == "root" else (str(_PORT + 1), 10522)
    service = ("/usr/bin/python3", "-m", "http.server", port)
    commands.output("systemd-run", "--quiet", f"--unit=web-{user}", *service)
    with running(config=CONFIG, port=exporter_port, unprivileged=user == "nobody") as daemon:
        until_figure(daemon, 1, "listener_info", port=port, unit=f"web-{user}.service")
        process = "http.server" if user == "root" else ""
        until_figure(daemon, 0, "accept_length", port=port, process=process)
    commands.output("systemctl", "stop", f"web-{user}")
    seen(f"unit of a service on pure cgroup v2, exporter started by {user}", "right")
