"""A sampler whose kernel, processes and clocks are the test's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import cast

from exporter.config import parse
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.namespace import Namespace
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.environment import Environment
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.sampler import Sampler
from exporter.sampling.source_runner import SourceRunner
from tests.owners.fake_host import FakeHost
from tests.sampling.fake_access import FakeAccess
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeNamespace

TICK_SECONDS = 0.05


class Simulation:
    """A sampler that runs only as far as `tick` and `run_for` let it."""

    def __init__(
        self,
        config: str = "{}",
        *,
        others: FakeAccess | None = None,
        own: Namespace | None = None,
        own_sockets: Collection[int] = (),
    ) -> None:
        """Set up a sampler with the configuration in this text; nothing is sampled yet.

        `own` is read in the place of `kernel`, where it is given.
        """
        self.clock = FakeClock() if others is None else others.clock
        self.kernel = FakeNamespace(self.clock.spend)
        self.host = FakeHost()
        self.walk_cost = 0.0
        self.host.before_read = lambda _pid: self.clock.spend(self.walk_cost)
        clock = self.clock.clock()
        access = cast("NamespaceAccess", others) if others is not None else None
        environment = Environment(
            own or self.kernel.namespace(),
            access,
            self.host.owner_search(),
            clock,
            clock,
            {"exporter": clock.cpu},
            sandboxes={"exporter": {"user": True, "seccomp": True, "landlock": False}},
        )
        self.sampler = Sampler(parse(config, "c.yaml"), environment, own_sockets)
        self.namespace = self.sampler.namespaces[0]

    def tick(self, ticks: int = 1, seconds: float = TICK_SECONDS) -> None:
        """Sample, and go on to the time of the next tick, so many times."""
        for _ in range(ticks):
            self.sampler.sample()
            self.clock.now += seconds

    def run_for(self, seconds: float) -> None:
        """Go on for so long, with a sample on each tick."""
        self.tick(round(seconds / TICK_SECONDS))

    def run_loop_for(self, seconds: float, each: Callable[[], object] = lambda: None) -> None:
        """Go on for so long as the thread does, from due time to due time; samples take time.

        `each` is called after each sample, at the time of the next.
        """
        until = self.clock.now + seconds
        while self.clock.now < until:
            spent = self.clock.spent
            due = self.sampler.sample()
            self.clock.now = max(due, self.clock.now + self.clock.spent - spent)
            each()

    def configure(self, config: str) -> None:
        """Take another configuration."""
        self.sampler.configure(parse(config, "c.yaml"))

    def runner(self, name: str, netns: str = "host") -> SourceRunner:
        """The runner of the source with this name."""
        return runner_of(self.sampler.runners, name, netns)

    def listener(self, address: str, port: str = "80") -> ListenerState:
        """The listener with this address; `port` is empty for unix."""
        return listener_of(self.namespace, address, port)

    def published(self) -> list[tuple[str, str]]:
        """The address and the process of each listener that has series."""
        with self.sampler.lock:
            states = self.sampler.published(self.clock.now)
        return sorted((each.group.key.address, each.owner.process if each.owner else "") for each in states)


def real_time_sampler(kernel: FakeNamespace, config: str = "{}") -> Sampler:
    """A sampler of this namespace that runs by the real clocks."""
    environment = Environment(
        kernel.namespace(), None, FakeHost().owner_search(), SYSTEM_CLOCK, SYSTEM_CLOCK, {}
    )
    return Sampler(parse(config, "c.yaml"), environment)


def runner_of(runners: Sequence[SourceRunner], name: str, netns: str = "host") -> SourceRunner:
    """The one of these with this name, in this namespace."""
    (found,) = (runner for runner in runners if (runner.name, runner.netns) == (name, netns))
    return found


def listener_of(namespace: NamespaceSampler, address: str, port: str = "80") -> ListenerState:
    """The listener of a namespace with this address: the one that is open, or the only one that closed."""
    states = [
        state
        for group, state in namespace.table.states.items()
        if (group.key.address, group.key.port) == (address, port)
    ]
    (found,) = [state for state in states if state.group.members] or states
    return found
