"""The metrics of the sources: whether they see, how often they look, and what they have counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from exporter.metrics.catalogue import Metric
from exporter.metrics.context import Read, Sample, ScrapeContext, exporter
from exporter.sampling.sampler import Sampler
from exporter.sampling.source import Source, SourceStats


def _by_netns(read: Callable[[Source, float], float]) -> Read:
    return lambda context: [
        ({"source": source.name, "netns": source.netns}, read(source, context.now))
        for source in context.sampler.sources
    ]


def _counted(read: Callable[[SourceStats], float]) -> Read:
    """Add one count up over the sources of a kind, those of namespaces that are gone included."""

    def samples(context: ScrapeContext) -> Iterator[Sample]:
        for name, stats in _stats_by_source(context.sampler).items():
            yield {"source": name}, read(stats)

    return samples


def _stats_by_source(sampler: Sampler) -> dict[str, SourceStats]:
    tallies: defaultdict[str, SourceStats] = defaultdict(SourceStats)
    for source in sampler.sources:
        tallies[source.name].add(source)
    for name, past in sampler.namespace_scheduler.past.items():
        tallies[name].add(past)
    return tallies


def _oldest(timestamps: Iterable[float]) -> float:
    """Fold times of success. Where there was nothing to ask there was none, and that is no failure."""
    return min((timestamp for timestamp in timestamps if timestamp), default=0.0)


def _by_source(read: Callable[[Source], float], fold: Callable[[Iterable[float]], float]) -> Read:
    """Read one figure of each kind of source, folded over the namespaces."""

    def samples(context: ScrapeContext) -> Iterator[Sample]:
        for name in dict.fromkeys(source.name for source in context.sampler.sources):
            yield (
                {"source": name},
                fold(read(source) for source in context.sampler.sources if source.name == name),
            )

    return samples


def _errors(context: ScrapeContext) -> Iterator[Sample]:
    for name, stats in sorted(_stats_by_source(context.sampler).items()):
        for reason, count in sorted(stats.errors.items()):
            yield {"source": name, "reason": reason}, count


def _methods(context: ScrapeContext) -> Iterator[Sample]:
    for namespace in context.sampler.namespaces:
        for source, method in namespace.methods().items():
            yield {"source": source, "netns": namespace.namespace.name, "method": method}, 1
    yield {"source": "owners", "netns": "host", "method": "procfs"}, 1
    method = "broker" if context.sampler.namespace_scheduler.possible() else "own"
    yield {"source": "namespaces", "netns": "host", "method": method}, 1


_SOURCE: Final = ("source",)
_SOURCE_NETNS: Final = ("source", "netns")

SOURCE_METRICS: Final[tuple[tuple[Metric, Read], ...]] = (
    exporter(
        "source_success",
        "gauge",
        "Whether the newest sample of a source succeeded and is young enough: 1 is yes. "
        "At 0 its series are gone.",
        _SOURCE_NETNS,
        _by_netns(lambda source, now: source.healthy(now)),
    ),
    exporter(
        "source_duration_seconds",
        "gauge",
        "How long the newest sample of a source took, in seconds.",
        _SOURCE_NETNS,
        _by_netns(lambda source, _now: source.duration),
    ),
    exporter(
        "source_info",
        "gauge",
        "Always 1; `method` says how the kernel is asked.",
        (*_SOURCE_NETNS, "method"),
        _methods,
    ),
    exporter(
        "samples",
        "counter",
        "Samples taken.",
        _SOURCE,
        _counted(lambda stats: stats.samples),
        needs_history=True,
    ),
    exporter(
        "sample_errors",
        "counter",
        "Samples that failed.",
        (*_SOURCE, "reason"),
        _errors,
        needs_history=True,
    ),
    exporter(
        "samples_missed",
        "counter",
        "Beats on which no sample could be taken because the one before, or the machine, was late.",
        _SOURCE,
        _counted(lambda stats: stats.missed),
        needs_history=True,
    ),
    exporter(
        "sample_interval_seconds",
        "gauge",
        "Time between two samples that is in force now, in seconds; "
        "longer than configured where cpu_budget binds; of several namespaces the longest.",
        _SOURCE,
        _by_source(lambda source: source.interval_in_force, max),
        needs_history=True,
    ),
    exporter(
        "last_sample_timestamp_seconds",
        "gauge",
        "When the newest sample succeeded, in seconds since 1970; 0 is never.",
        _SOURCE,
        _by_source(lambda source: source.timestamp, _oldest),
    ),
)
