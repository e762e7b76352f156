"""A host in one state that has every metric, at a time that stands still."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from exporter.kernel.errors import KernelError
from exporter.metrics.context import BuildInfo, Reload
from exporter.metrics.page import Page
from testbed.page import Page as Read
from testbed.page import metrics
from tests.listeners.sockets import endpoint, tcp, unix, waiting
from tests.sampling.simulation import Simulation

# An eighth of a second is exact in binary, so that sums of it read well in the golden page.
TICK_SECONDS: Final = 0.125
CONFIG: Final = """
sampling: {interval: 125ms}
defaults: {export: full}
rules:
  - name: edge
    match: {port: 80}
    accept: {warning: 4, critical: 100%}
    hold: 1s
  - name: hidden
    match: {address: "127.0.0.0/8"}
    export: false
  - name: few series
    match: {address: "@*"}
    export: lean
"""
CONTAINER: Final = "a1b2c3d4e5f60718" * 4
POD: Final = "2f6b1c9e-8a7d-4f13-9c55-0d1e2f3a4b5c"
RELOADED: Final = Reload(successful=True, timestamp=1_700_000_000.0)
BUILD: Final = BuildInfo("0.0.0", "unknown", "3.11.0")


class NoProcessMetrics(Collector):
    """Stands in for the collector of `process_*`, which differ from run to run."""

    def collect(self) -> Iterable[Family]:
        return []


NO_PROCESS_METRICS: Final = NoProcessMetrics()


def page_of(
    simulation: Simulation, reload: Reload = RELOADED, process: Collector | None = NO_PROCESS_METRICS
) -> Page:
    """The page of a sampler; without `process` that of a program that ends with it."""
    return Page(simulation.sampler, lambda: reload, BUILD, simulation.clock.clock(), process)


def read(page: Page) -> Read:
    """What is on a page."""
    return metrics(page.write(openmetrics=False).decode())


def values(page: Page, name: str, label: str) -> dict[str, float]:
    """The value of each series of a metric, by one of its labels."""
    return {dict(labels)[label]: value for labels, value in read(page).all(name).items()}


def sample_host() -> Simulation:
    """Sample a host until something has happened to every metric."""
    simulation = Simulation(CONFIG)
    kernel, processes = simulation.kernel, simulation.host
    processes.run(1, b"systemd", 100, 200, 300)
    processes.run(20, b"nginx", 100, 200, cgroup=b"/system.slice/nginx.service")
    processes.run(30, b"php-fpm", 400, cgroup=f"/kubepods/burstable/pod{POD}/{CONTAINER}".encode())
    processes.files.files[f"/var/log/containers/php-7d9f_shop_fpm-{CONTAINER}.log"] = b""
    processes.run(40, b'we"ird\\\n\xff', 500)
    kernel.mptcp = frozenset({300})
    kernel.tcp.open(tcp(1, uid=0), tcp(2, uid=0), limit=7)
    kernel.tcp.open(tcp(3, "::1", 5432, uid=4_000_000_001), limit=127)
    kernel.tcp.open(tcp(6, "127.0.0.53", 53, uid=0))
    kernel.unix.open(unix(4, b"/run/php/fpm.sock"), limit=511, drops=None)
    kernel.unix.open(unix(5, b'\0"weird"\\\n\xff'), drops=None)
    kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): 12, endpoint("10.0.0.1", 9): 2}
    simulation.tick(8, TICK_SECONDS)
    kernel.tcp.change(1, length=8, drops=5)
    kernel.tcp.change(2, length=2)
    kernel.unix.change(4, length=128)
    kernel.waits = {endpoint("10.0.0.1"): 0.75}
    kernel.connections = [waiting(1, endpoint("10.0.0.1"), 0.5)]
    simulation.tick(16, TICK_SECONDS)
    kernel.netstat.error = KernelError("cannot read /proc/net/netstat", "EMFILE")
    simulation.tick(8, TICK_SECONDS)
    kernel.netstat.error = None
    kernel.connections = []
    kernel.tcp.change(1, length=3)
    simulation.tick(8, TICK_SECONDS)
    return simulation
