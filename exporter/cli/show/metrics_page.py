"""The page of metrics of one sample, for the textfile collector of node_exporter."""

from __future__ import annotations

from exporter.api import listener_errors
from exporter.cli.build import build_info
from exporter.cli.host_sampling import sampled_host
from exporter.cli.show.host import adapted
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.clock import Clock


def metrics_page(config_file: str | None, clock: Clock) -> tuple[bytes, list[dict[str, object]]]:
    """Return the page, and what could not be read (exporter.api.listener_errors)."""
    sampler = sampled_host(config_file, clock, adapted)
    reload = Reload(successful=True, timestamp=clock.wall())
    page = Page(sampler, lambda: reload, build_info(), clock, None).write(openmetrics=False)
    with sampler.lock:
        return page, listener_errors.errors(sampler, clock.monotonic())
