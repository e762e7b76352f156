"""The metrics of the exporter itself: whether it sees, how often it looks, what it was told."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.metrics_core import Metric as Family

from exporter import __version__
from exporter.config.model import DEFAULTS, Config, Unit
from exporter.metrics.catalogue import Metric
from exporter.sampling.sampler import Sampler
from exporter.sampling.source import Source

# Which commit this is: whoever builds an image sets it, since an installed package cannot know.
_REVISION: Final = os.environ.get("LISTEN_QUEUE_EXPORTER_REVISION", "")


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reading of the configuration went; `timestamp` is that of the last success."""

    successful: bool
    timestamp: float


@dataclass(frozen=True, slots=True)
class Moment:
    """All that the figures of one page are taken from."""

    sampler: Sampler
    reload: Reload
    now: float
    listeners: int
    omitted: int


Sample = tuple[dict[str, str], float]
Read = Callable[[Moment], Iterable[Sample]]


def _exporter(
    name: str, kind: str, help_text: str, labels: tuple[str, ...], read: Read
) -> tuple[Metric, Read]:
    return Metric(f"listen_queue_exporter_{name}", kind, help_text, labels), read


def _one(read: Callable[[Moment], float]) -> Read:
    return lambda moment: [({}, read(moment))]


def _by_netns(read: Callable[[Source, float], float]) -> Read:
    return lambda moment: [
        ({"source": source.name, "netns": source.netns}, read(source, moment.now))
        for source in moment.sampler.sources
    ]


def _by_source(read: Callable[[Source], float], fold: Callable[[Iterable[float]], float]) -> Read:
    """Read one figure of each kind of source, folded over the namespaces."""

    def samples(moment: Moment) -> Iterator[Sample]:
        for name in dict.fromkeys(source.name for source in moment.sampler.sources):
            yield (
                {"source": name},
                fold(read(source) for source in moment.sampler.sources if source.name == name),
            )

    return samples


def _errors(moment: Moment) -> Iterator[Sample]:
    reasons = sorted({(source.name, reason) for source in moment.sampler.sources for reason in source.errors})
    for name, reason in reasons:
        count = sum(source.errors[reason] for source in moment.sampler.sources if source.name == name)
        yield {"source": name, "reason": reason}, count


def _methods(moment: Moment) -> Iterator[Sample]:
    for namespace in moment.sampler.namespaces:
        for source, method in namespace.methods().items():
            yield {"source": source, "netns": namespace.namespace.name, "method": method}, 1
    yield {"source": "owners", "netns": "host", "method": "procfs"}, 1


def _disagreements(moment: Moment) -> Iterator[Sample]:
    for namespace in moment.sampler.namespaces:
        yield {"netns": namespace.namespace.name}, namespace.half_open.disagreements


def _build(_moment: Moment) -> list[Sample]:
    return [({"version": __version__, "revision": _REVISION, "python": platform.python_version()}, 1)]


def _levels(unit: Unit) -> Read:
    def samples(moment: Moment) -> Iterator[Sample]:
        config: Config = moment.sampler.config
        for rule, thresholds in [(DEFAULTS, config.defaults)] + [
            (rule.name, rule.thresholds) for rule in config.rules
        ]:
            for (queue, severity), level in thresholds.levels.items():
                if level.unit is unit:
                    yield {"rule": rule, "queue": queue, "severity": severity}, level.value

    return samples


_SOURCE: Final = ("source",)
_SOURCE_NETNS: Final = ("source", "netns")
_LEVEL: Final = ("rule", "queue", "severity")

EXPORTER_METRICS: Final[tuple[tuple[Metric, Read], ...]] = (
    (
        Metric("listen_queue_threshold_ratio", "gauge", "Thresholds written in per cent; 1 is full.", _LEVEL),
        _levels(Unit.RATIO),
    ),
    (
        Metric("listen_queue_threshold_connections", "gauge", "Thresholds written in connections.", _LEVEL),
        _levels(Unit.CONNECTIONS),
    ),
    _exporter(
        "build_info",
        "gauge",
        "Always 1; its labels say what runs.",
        ("version", "revision", "python"),
        _build,
    ),
    _exporter(
        "source_success",
        "gauge",
        "Whether the newest sample of a source succeeded and is young enough: 1 is yes. "
        "At 0 its series are gone.",
        _SOURCE_NETNS,
        _by_netns(lambda source, now: source.healthy(now)),
    ),
    _exporter(
        "source_duration_seconds",
        "gauge",
        "How long the newest sample of a source took, in seconds.",
        _SOURCE_NETNS,
        _by_netns(lambda source, _now: source.duration),
    ),
    _exporter(
        "source_info",
        "gauge",
        "Always 1; `method` says how the kernel is asked.",
        (*_SOURCE_NETNS, "method"),
        _methods,
    ),
    _exporter(
        "samples", "counter", "Samples taken.", _SOURCE, _by_source(lambda source: source.samples, sum)
    ),
    _exporter("sample_errors", "counter", "Samples that failed.", (*_SOURCE, "reason"), _errors),
    _exporter(
        "samples_missed",
        "counter",
        "Beats on which no sample could be taken because the one before, or the machine, was late.",
        _SOURCE,
        _by_source(lambda source: source.missed, sum),
    ),
    _exporter(
        "sample_interval_seconds",
        "gauge",
        "Time between two samples that is in force now, in seconds; "
        "longer than configured where cpu_budget binds.",
        _SOURCE,
        _by_source(lambda source: source.interval_in_force, max),
    ),
    _exporter(
        "last_sample_timestamp_seconds",
        "gauge",
        "When the newest sample succeeded, in seconds since 1970; 0 is never.",
        _SOURCE,
        _by_source(lambda source: source.timestamp, min),
    ),
    _exporter(
        "refcount_disagreements",
        "counter",
        "Times that a listener's reference count and a walk told different numbers of half-open "
        "connections; such a listener is left to the walks.",
        ("netns",),
        _disagreements,
    ),
    _exporter("listeners", "gauge", "Listeners on this page.", (), _one(lambda moment: moment.listeners)),
    _exporter(
        "listeners_omitted",
        "gauge",
        "Listeners left off this page because there are more than max_listeners.",
        (),
        _one(lambda moment: moment.omitted),
    ),
    _exporter(
        "sockets_without_owner",
        "gauge",
        "Listening sockets whose process may not be seen; their process label is empty.",
        (),
        _one(lambda moment: moment.sampler.naming.without_owner()),
    ),
    _exporter(
        "config_last_reload_successful",
        "gauge",
        "Whether the configuration file was valid when it was last read: 1 is yes, "
        "0 keeps the old one in force.",
        (),
        _one(lambda moment: moment.reload.successful),
    ),
    _exporter(
        "config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration in force was read, in seconds since 1970.",
        (),
        _one(lambda moment: moment.reload.timestamp),
    ),
)


def exporter_families(moment: Moment) -> Iterator[Family]:
    """Make the families of the exporter."""
    for metric, read in EXPORTER_METRICS:
        family = Family(metric.name, metric.help, metric.kind)
        for labels, value in read(moment):
            family.add_sample(metric.sample_name, labels, value)
        yield family
