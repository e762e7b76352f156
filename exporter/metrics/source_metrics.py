"""The metrics of the sources: whether they succeed, how often they run, and what they have counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median_low
from typing import Final

from exporter.metrics.context import ScrapeContext
from exporter.metrics.metric import Labels, Metric, Subject
from exporter.sampling.sampler import Sampler
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.source import SourceStats

_TITLE: Final = "The exporter"


@dataclass(frozen=True, slots=True)
class _SourceState:
    healthy: bool
    duration_seconds: float


def _by_netns(context: ScrapeContext) -> Iterator[tuple[Labels, _SourceState]]:
    for runner in context.sampler.runners:
        state = _SourceState(runner.healthy(context.now), runner.duration_seconds)
        yield {"source": runner.name, "netns": runner.netns}, state


def _by_method(context: ScrapeContext) -> Iterator[tuple[Labels, SourceRunner]]:
    # Also where no other namespace is wanted, so that it can be seen whether one could be entered.
    discovery = context.sampler.namespace_scheduler.discovery_runner
    for runner in dict.fromkeys([*context.sampler.runners, discovery]):
        if runner.method is not None:
            yield {"source": runner.name, "netns": runner.netns, "method": runner.method}, runner


def _by_name(context: ScrapeContext) -> Iterator[tuple[Labels, list[SourceRunner]]]:
    runners: defaultdict[str, list[SourceRunner]] = defaultdict(list)
    for runner in context.sampler.runners:
        runners[runner.name].append(runner)
    for name, of_name in runners.items():
        yield {"source": name}, of_name


def _totals(context: ScrapeContext) -> Iterator[tuple[Labels, SourceStats]]:
    for name, stats in _stats_by_name(context.sampler).items():
        yield {"source": name}, stats


def _errors(context: ScrapeContext) -> Iterator[tuple[Labels, int]]:
    for name, stats in sorted(_stats_by_name(context.sampler).items()):
        for reason, count in sorted(stats.errors.items()):
            yield {"source": name, "reason": reason}, count


def _stats_by_name(sampler: Sampler) -> dict[str, SourceStats]:
    """Add up what the sources of each name have counted, those of namespaces that are gone included."""
    totals: defaultdict[str, SourceStats] = defaultdict(SourceStats)
    for runner in sampler.runners:
        totals[runner.name].add(runner.stats)
    for name, past in sampler.namespace_scheduler.past.items():
        totals[name].add(past)
    return totals


def _oldest_success(runners: list[SourceRunner]) -> float:
    """Return the oldest time of success; a source that never had anything to ask has none and is left out."""
    return min((runner.timestamp for runner in runners if runner.timestamp), default=0.0)


_IN_NAMESPACE: Final = Subject(_TITLE, ("source", "netns"), _by_netns)
_METHOD: Final = Subject(_TITLE, ("source", "netns", "method"), _by_method)
_NAME: Final = Subject(_TITLE, ("source",), _by_name)
_TOTAL: Final = Subject(_TITLE, ("source",), _totals)
_ERROR: Final = Subject(_TITLE, ("source", "reason"), _errors)

SOURCE_METRICS: Final = (
    Metric(
        _IN_NAMESPACE,
        "listen_queue_exporter_source_success",
        "gauge",
        "Whether the newest sample of a source succeeded and is young enough: 1 is yes. "
        "At 0 its series are gone; of owners, some labels are empty.",
        lambda state: state.healthy,
    ),
    Metric(
        _IN_NAMESPACE,
        "listen_queue_exporter_source_duration_seconds",
        "gauge",
        "How long the newest sample of a source took, in seconds.",
        lambda state: state.duration_seconds,
    ),
    Metric(
        _METHOD,
        "listen_queue_exporter_source_info",
        "gauge",
        "Always 1; `method` says how the kernel is asked.",
        lambda _runner: 1.0,
    ),
    Metric(
        _TOTAL,
        "listen_queue_exporter_samples",
        "counter",
        "Samples taken.",
        lambda stats: stats.samples,
        needs_history=True,
    ),
    Metric(
        _ERROR,
        "listen_queue_exporter_sample_errors",
        "counter",
        "Samples that failed.",
        lambda count: count,
        needs_history=True,
    ),
    Metric(
        _TOTAL,
        "listen_queue_exporter_samples_missed",
        "counter",
        "Due times at which no sample was taken because the one before, or the machine, was late.",
        lambda stats: stats.missed,
        needs_history=True,
    ),
    Metric(
        _NAME,
        "listen_queue_exporter_sample_interval_seconds",
        "gauge",
        "Seconds between two samples of a source, as in force now, in the network namespace where it is "
        "sampled least often; cpu_budget can make it longer than configured.",
        lambda runners: max(runner.schedule.interval_in_force for runner in runners),
        needs_history=True,
    ),
    Metric(
        _NAME,
        "listen_queue_exporter_sample_interval_usual_seconds",
        "gauge",
        "Seconds between two samples of a source in the median network namespace: half of them are sampled "
        "as often as this or more often.",
        lambda runners: median_low(runner.schedule.interval_in_force for runner in runners),
        needs_history=True,
    ),
    Metric(
        _TOTAL,
        "listen_queue_exporter_source_cpu_seconds",
        "counter",
        "Processor time that sampling has used for a source, in seconds; for namespaces and owners with that "
        "of the broker.",
        lambda stats: stats.cpu_seconds,
        needs_history=True,
    ),
    Metric(
        _NAME,
        "listen_queue_exporter_last_sample_timestamp_seconds",
        "gauge",
        "When a source succeeded last, in the network namespace where that is longest ago, in seconds since "
        "1970; 0 is never. It stands still while a source has nothing to ask, as oldest_wait where no "
        "connection waits.",
        _oldest_success,
    ),
)
