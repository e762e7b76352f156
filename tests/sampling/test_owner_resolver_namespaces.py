"""Names for the listeners of several namespaces, which come and go while others are sampled."""

from __future__ import annotations

import pytest

from exporter.config.model import Config
from exporter.kernel.errors import KernelError
from exporter.sampling.namespace import NamespaceSampler
from tests.listeners.sockets import tcp, unix
from tests.sampling.fake_namespace import Kernel
from tests.sampling.sampler_fixture import Stage

WEB = 4711
WEB_PATH = b"/system.slice/web.service"
LONGER_THAN_A_STEP = 0.02


def arrive(stage: Stage, name: str, kernel: Kernel | None = None) -> tuple[Kernel, NamespaceSampler]:
    """Let a namespace appear."""
    kernel = kernel or Kernel(stage.clock.spend, name)
    sampler = NamespaceSampler(kernel.namespace(), Config(), stage.sampler.lock)
    stage.sampler.namespaces.append(sampler)
    return kernel, sampler


def beat(stage: Stage, *samplers: NamespaceSampler) -> None:
    """Sample these namespaces, which somebody else does for the real ones, and then the own."""
    for sampler in samplers:
        for source in sampler.sources:
            source.run(stage.clock.now)
    stage.beat()


def process_in(sampler: NamespaceSampler) -> list[str | None]:
    return [state.owner.process if state.owner else None for state in sampler.states.values()]


def busy(stage: Stage) -> None:
    """Let a walk over a thousand processes be under way."""
    stage.beat()
    for pid in range(1000, 2000):
        stage.host.run(pid, b"other")
    stage.walk_cost = LONGER_THAN_A_STEP
    stage.kernel.unix.open(unix(90))
    stage.beat(3)


def test_a_namespace_that_appears_gets_names_within_its_first_second(stage: Stage) -> None:
    """Also while a walk is under way that slowed the source down."""
    busy(stage)
    stage.until(2.0)
    assert stage.sampler.owner_resolver.source.interval_in_force > 1.0
    stage.host.cgroups.paths = {WEB: WEB_PATH}
    stage.host.run(20, b"web", 700, cgroup=WEB_PATH)
    kernel, sampler = arrive(stage, "box")
    kernel.tcp.open(tcp(7, cgroup_id=WEB))
    stage.sampler.owner_resolver.request_soon()
    for _ in range(10):
        beat(stage, sampler)
    assert process_in(sampler) == ["web"]


def test_a_namespace_that_goes_takes_its_sockets_along(stage: Stage) -> None:
    stage.kernel.tcp.open(tcp(1))
    kernel, sampler = arrive(stage, "box")
    kernel.tcp.open(tcp(7))
    beat(stage, sampler)
    assert stage.sampler.owner_resolver.without_owner() == 2
    stage.sampler.namespaces.remove(sampler)
    stage.beat()
    assert stage.sampler.owner_resolver.without_owner() == 1


def test_one_that_cannot_tell_what_is_mptcp_hurts_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> frozenset[int]:
        raise KernelError("dump failed", "ESRCH")

    broken, first = arrive(stage, "gone")
    monkeypatch.setattr(broken, "mptcp_inodes", fail)
    kernel, second = arrive(stage, "box")
    kernel.mptcp = frozenset({800})
    stage.host.run(20, b"web", 700, 800)
    broken.tcp.open(tcp(7))
    kernel.tcp.open(tcp(8))
    beat(stage, first, second)
    assert (process_in(first), process_in(second)) == (["web"], ["web"])
    assert [state.mptcp for state in second.states.values()] == [True]
    source = stage.sampler.owner_resolver.source
    assert source.healthy(stage.clock.now)
    assert source.errors["ESRCH"] == 1


def test_what_is_mptcp_is_asked_only_where_sockets_changed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    kernel, sampler = arrive(stage, "box")

    def ask() -> frozenset[int]:
        asked.append(stage.clock.now)
        return frozenset({700})

    monkeypatch.setattr(kernel, "mptcp_inodes", ask)
    kernel.tcp.open(tcp(7))
    for cookie in range(20, 30):
        stage.kernel.tcp.open(tcp(cookie, port=cookie))
        beat(stage, sampler)
    assert len(asked) == 1
    assert [state.mptcp for state in sampler.states.values()] == [True]


def test_a_listener_of_which_one_socket_is_still_looked_for_keeps_its_name(stage: Stage) -> None:
    """Others are found meanwhile; it must not lose its name for a moment."""
    stage.host.run(20, b"web", 100, cgroup=WEB_PATH)
    stage.kernel.tcp.open(tcp(1))
    stage.beat()
    busy(stage)
    stage.host.cgroups.paths = {WEB: WEB_PATH}
    stage.host.run(20, b"web", 200, 300, cgroup=WEB_PATH)
    stage.kernel.tcp.close(1)
    stage.kernel.tcp.open(tcp(2))
    stage.kernel.tcp.open(tcp(3, port=443, cgroup_id=WEB))
    stage.sampler.owner_resolver.request_soon()
    stage.beat(5)
    assert stage.listener("0.0.0.0", "443").owner is not None
    owner = stage.listener("0.0.0.0").owner
    assert owner is not None
    assert owner.process == "web"
