"""/-/healthy and /-/ready."""

from __future__ import annotations

import threading

from exporter.web.health import HealthyHandler, ReadyHandler
from exporter.web.route import Route
from tests.web.server_thread import ServerThread, router_of


class Sampler:
    """Is ready once `sampled` is set."""

    def __init__(self) -> None:
        self.sampled = threading.Event()

    def ready(self) -> bool:
        return self.sampled.is_set()


def test_ready_after_the_first_sample_and_healthy_before() -> None:
    sampler = Sampler()
    routes = Route("/-/ready", ReadyHandler(sampler)), Route("/-/healthy", HealthyHandler())
    with ServerThread(router_of(*routes)) as server:
        before = server.request("/-/ready")
        assert (before.status, before.body) == (503, b"not ready: there is no fresh sample\n")
        healthy = server.request("/-/healthy")
        assert (healthy.status, healthy.body) == (200, b"healthy\n")
        sampler.sampled.set()
        after = server.request("/-/ready")
        assert (after.status, after.body) == (200, b"ready\n")
