"""A host in one state that shows every metric, at a time that stands still."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from exporter.kernel.errors import KernelError
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from testbed.page import Page as Read
from testbed.page import metrics
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.sampler_fixture import Stage

# An eighth of a second is exact in binary, so that sums of it read well in the golden page.
BEAT_SECONDS = 0.125
CONFIG = """
sampling: {interval: 125ms}
rules:
  - name: edge
    match: {port: 80}
    accept: {warning: 4, critical: 100%}
    hold: 1s
  - name: hidden
    match: {address: "127.0.0.0/8"}
    export: false
"""
CONTAINER = "a1b2c3d4e5f60718" * 4
POD = "2f6b1c9e-8a7d-4f13-9c55-0d1e2f3a4b5c"
RELOADED = Reload(successful=True, timestamp=1_700_000_000.0)


class NoProcess:
    """Stands in for the collector of `process_*`, which differ from run to run."""

    def __init__(self, registry: object) -> None:
        """Take what the collector takes."""

    def collect(self) -> list[object]:
        """Nothing."""
        return []


def page_of(stage: Stage, reload: Reload = RELOADED) -> Page:
    """A page of this stage."""
    return Page(stage.sampler, lambda: reload)


def read(page: Page) -> Read:
    """What a page says."""
    return metrics(page.write(openmetrics=False).decode())


def values(page: Page, name: str, label: str) -> dict[str, float]:
    """The value of each series of a metric, by one of its labels."""
    return {dict(labels)[label]: value for labels, value in read(page).all(name).items()}


def set_scene(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Set the scene, and play until something happened to every metric."""
    families = "exporter.metrics.exporter_families"
    monkeypatch.setattr("exporter.metrics.page.ProcessCollector", NoProcess)
    monkeypatch.setattr(f"{families}.platform", SimpleNamespace(python_version=lambda: "3.11.0"))
    monkeypatch.setattr(f"{families}.__version__", "0.0.0")
    monkeypatch.setattr(f"{families}._REVISION", "unknown")
    stage = Stage(monkeypatch, CONFIG)
    kernel, host = stage.kernel, stage.host
    host.run(1, b"systemd", 100, 200, 300)
    host.run(20, b"nginx", 100, 200, cgroup=b"/system.slice/nginx.service")
    host.run(30, b"php-fpm", 400, cgroup=f"/kubepods/burstable/pod{POD}/{CONTAINER}".encode())
    host.files.files[f"/var/log/containers/php-7d9f_shop_fpm-{CONTAINER}.log"] = b""
    host.run(40, b'we"ird\\\n\xff', 500)
    kernel.mptcp = frozenset({300})
    kernel.tcp.open(tcp(1, uid=0), tcp(2, uid=0), limit=7)
    kernel.tcp.open(tcp(3, "::1", 5432, uid=4_000_000_001), limit=127)
    kernel.tcp.open(tcp(6, "127.0.0.53", 53, uid=0))
    kernel.unix.open(unix(4, b"/run/php/fpm.sock"), limit=511, drops=None)
    kernel.unix.open(unix(5, b'\0"weird"\\\n\xff'), drops=None)
    kernel.syn.counts = {endpoint("10.0.0.1"): 12, endpoint("10.0.0.1", 9): 2}
    stage.beat(8, BEAT_SECONDS)
    kernel.tcp.move(1, length=8, drops=5)
    kernel.tcp.move(2, length=2)
    kernel.unix.move(4, length=128)
    kernel.waits = {endpoint("10.0.0.1"): 0.75}
    stage.beat(16, BEAT_SECONDS)
    kernel.netstat.error = KernelError("cannot read /proc/net/netstat", "EMFILE")
    stage.beat(8, BEAT_SECONDS)
    kernel.netstat.error = None
    kernel.tcp.move(1, length=3)
    stage.beat(8, BEAT_SECONDS)
    return stage
