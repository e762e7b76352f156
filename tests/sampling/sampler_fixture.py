"""A sampler on a stage: kernel, processes and time are the test's."""

from __future__ import annotations

import pytest

from exporter.config import parse
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.sampler import Sampler
from tests.owners.fake_host import FakeHost
from tests.sampling.fake_clock import Clockwork
from tests.sampling.fake_namespace import Kernel

BEAT_SECONDS = 0.05
_MODULES = (
    "sampling.sampler",
    "sampling.source",
    "sampling.owner_resolver",
    "sampling.idle_reader",
    "sampling.namespace_slot",
    "metrics.page",
)


class Stage:
    """A sampler of one namespace, which nothing but `beat` and `run` moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, config: str = "") -> None:
        """Set up a sampler with the configuration in this text; nothing is sampled yet."""
        self.clock = Clockwork()
        self.clock.install(monkeypatch, *(f"exporter.{module}" for module in _MODULES))
        self.kernel = Kernel(self.clock.spend)
        self.host = FakeHost()
        self.walk_cost = 0.0
        self.host.before_read = lambda _pid: self.clock.spend(self.walk_cost)
        monkeypatch.setattr("exporter.sampling.owner_resolver.OwnerSearch", self.host.owner_search)
        self.sampler = Sampler(parse(config, "c.yaml"), self.kernel.namespace())
        self.namespace = self.sampler.namespaces[0]

    def beat(self, beats: int = 1, seconds: float = BEAT_SECONDS) -> None:
        """Sample, and go on to the time of the next beat, so many times."""
        for _ in range(beats):
            self.sampler.sample()
            self.clock.now += seconds

    def until(self, seconds: float) -> None:
        """Go on for so long, with a sample on each beat."""
        self.beat(round(seconds / BEAT_SECONDS))

    def configure(self, config: str) -> None:
        """Take another configuration."""
        self.sampler.configure(parse(config, "c.yaml"))

    def listener(self, address: str, port: str = "80") -> ListenerState:
        """The listener with this address; `port` is empty for unix."""
        (found,) = (
            state
            for group, state in self.namespace.states.items()
            if (group.key.address, group.key.port) == (address, port)
        )
        return found

    def shown(self) -> list[tuple[str, str]]:
        """The address and the process of each listener on the page."""
        with self.sampler.lock:
            shown = self.sampler.shown(self.clock.now)
        return sorted((each.group.key.address, each.owner.process if each.owner else "") for each in shown)
