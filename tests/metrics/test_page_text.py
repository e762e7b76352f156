"""The page of any host is what prometheus_client writes of the same families."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from exporter.config.model import Export, Queue, Severity
from exporter.kernel.records import FileId
from exporter.metrics.exposition import EOF
from exporter.metrics.listener_histograms import HISTOGRAMS
from exporter.metrics.listener_metrics import GAUGES_AND_COUNTERS, INFO, THRESHOLDS, ThresholdOf
from exporter.metrics.metric import Metric
from exporter.owners.owner import UNKNOWN_OWNER
from exporter.sampling.listener_state import ListenerState
from testbed.page import metrics
from tests.listeners.sockets import endpoint, tcp, unix
from tests.metrics.sample_host import page_of
from tests.sampling.simulation import Simulation

# Listeners of either kind: those with a port from 3 on have all series.
CONFIG = "rules: [{name: rest, match: {port: 3-65535}, export: full}]"
BYTES = st.binary(min_size=1, max_size=10) | st.text('a"\\\n\r{},é漢\U0001f600', min_size=1, max_size=6).map(
    str.encode
)
COUNTS = st.none() | st.integers(0, 2**32 - 1)

# Each example samples a whole host, which on a busy machine takes longer than hypothesis admits.
slow_examples = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50, deadline=None)


@dataclass(frozen=True)
class Drawn:
    """A listener; with a name it is unix, without it is tcp on a port of its own."""

    name: bytes | None
    process: bytes
    cgroup: bytes
    lengths: list[int | None]
    limit: int | None
    drops: int | None


# As the kernel has it: no path of a cgroup holds a newline (cgroup_mkdir, kernel/cgroup/cgroup.c).
CGROUPS = st.builds(lambda name: b"/" + name.replace(b"\n", b"") + b".service", BYTES)
DRAWN = st.builds(
    Drawn, st.none() | BYTES, BYTES, CGROUPS, st.lists(COUNTS, min_size=1, max_size=4), COUNTS, COUNTS
)


def sample(simulation: Simulation, drawn: list[Drawn]) -> None:
    """Make these listen, with one sample for each of their lengths."""
    for cookie, each in enumerate(drawn, start=1):
        path = b"/" + each.name if each.name else b""
        listener = unix(cookie, path, file=FileId(1, cookie)) if path else tcp(cookie, "::", port=cookie)
        reader = simulation.kernel.unix if each.name else simulation.kernel.tcp
        reader.open(listener, length=each.lengths[0], limit=each.limit, drops=each.drops)
        simulation.host.run(cookie + 1, each.process, listener.inode, cgroup=each.cgroup)
        simulation.kernel.syn_recv_dump.counts[endpoint("2001:db8::1", cookie)] = cookie
    for number in range(4):
        simulation.tick()
        for cookie, each in enumerate(drawn, start=1):
            reader = simulation.kernel.unix if each.name else simulation.kernel.tcp
            if number < len(each.lengths):
                reader.change(cookie, length=each.lengths[number])


def labels_of(state: ListenerState) -> dict[str, str]:
    key = state.key()
    return {
        "netns": key.netns,
        "protocol": key.protocol,
        "address": key.address,
        "port": key.port,
        "process": state.owner.process if state.owner else "",
    }


def having(metric: Metric[Any, Any], states: list[ListenerState]) -> list[ListenerState]:
    """The listeners that have series of a metric."""
    full = [state for state in states if state.rule_match and state.rule_match.export is Export.FULL]
    return full if metric.full else states


def scalars(states: list[ListenerState]) -> Iterable[Family]:
    for metric in GAUGES_AND_COUNTERS:
        family = Family(metric.name, metric.help, metric.type)
        for state in having(metric, states):
            value = metric.read(state)
            if value is not None:
                family.add_sample(metric.sample_name, labels_of(state), value)
        yield family


def histograms(states: list[ListenerState]) -> Iterable[Family]:
    names = list(labels_of(states[0])) if states else []
    for metric in HISTOGRAMS:
        family = HistogramMetricFamily(metric.name, metric.help, labels=names)
        for state in having(metric, states):
            observed = metric.read(state)
            if observed is not None:
                bounds = [*(str(bound) for bound in metric.buckets), "+Inf"]
                counts, total = observed.histogram()
                family.add_metric(
                    list(labels_of(state).values()), list(zip(bounds, counts, strict=True)), total
                )
        yield family


def thresholds(states: list[ListenerState]) -> Iterable[Family]:
    for metric in THRESHOLDS:
        family = Family(metric.name, metric.help, metric.type)
        for state in having(metric, states):
            for queue, history in ((Queue.ACCEPT, state.accept), (Queue.SYN_RECV, state.syn_recv)):
                for severity in Severity:
                    if history is not None and history.threshold_states[severity].known:
                        extra = {"queue": queue.value, "severity": severity.value}
                        value = metric.read(ThresholdOf(history, severity))
                        assert value is not None
                        family.add_sample(metric.sample_name, labels_of(state) | extra, value)
        yield family


def info(states: list[ListenerState]) -> Family:
    family = Family(INFO.name, INFO.help, INFO.type)
    for state in states:
        rule = state.rule_match.rule if state.rule_match else ""
        owner = asdict(state.owner or UNKNOWN_OWNER)
        del owner["process"]
        extra = owner | {"rule": rule, "mptcp": "false", "stale_path": "false"}
        family.add_sample(INFO.name, labels_of(state) | extra, 1)
    return family


class Expected(Collector):
    """The families of these listeners as a registry."""

    def __init__(self, states: list[ListenerState]) -> None:
        self.families = [*scalars(states), *thresholds(states), info(states), *histograms(states)]

    def collect(self) -> list[Family]:
        """The families, in the order of the page."""
        return self.families


@pytest.mark.parametrize("openmetrics", [False, True])
@given(drawn=st.lists(DRAWN, max_size=5))
@slow_examples
def test_page_begins_with_the_families_of_its_listeners(drawn: list[Drawn], *, openmetrics: bool) -> None:
    """Byte for byte, in both formats."""
    simulation = Simulation(CONFIG)
    sample(simulation, drawn)
    states = simulation.sampler.published(simulation.clock.now)
    written = page_of(simulation).write(openmetrics=openmetrics)
    if openmetrics:
        reference: bytes = generate_openmetrics(Expected(states)).removesuffix(EOF)
    else:
        reference = generate_latest(Expected(states))
    assert written[: len(reference)].decode().splitlines() == reference.decode().splitlines()
    assert written.startswith(reference)
    assert written.endswith(EOF) is openmetrics


@given(drawn=st.lists(DRAWN, min_size=1, max_size=5))
@slow_examples
def test_page_is_the_same_in_both_formats(drawn: list[Drawn]) -> None:
    """And no series is on it twice."""
    simulation = Simulation(CONFIG)
    sample(simulation, drawn)
    page = page_of(simulation)
    text, openmetrics = (metrics(page.write(openmetrics=kind).decode()) for kind in (False, True))
    states = simulation.sampler.published(simulation.clock.now)
    labels = {frozenset(labels_of(state).items()) for state in states}
    assert text.samples == openmetrics.samples
    assert text.all("listen_queue_sockets").keys() == labels
