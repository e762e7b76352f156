"""Why limits are missed: one sentence for each in docs/performance.md, with figures of the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import Final

from bench.comparison import BASELINE, EXPORTER
from bench.limits import LIMITS, PODS, Limit, limit_in_force
from bench.results import Results
from bench.units import Unit, format_seconds

_SAMPLES_PER_SECOND: Final = 20
_PODS_COUNT: Final = 110
_NAMESPACE_SAMPLES: Final = "One sample of all network namespaces"
_HOUR: Final = "Resident memory over an hour"

# Returns the sentence, None where the run has no figures for it.
_Reason = Callable[[Results], str | None]


def missed_limits(results: Results) -> dict[Limit, str]:
    """Return the limits that were missed, each with the reason; with an empty one where none is known."""
    found: dict[Limit, str] = {}
    for limit in LIMITS:
        measured = results.limited.get(limit.name)
        if measured is None or limit.met_by(measured.median, limit_in_force(limit, results.limited)):
            continue
        reason = _REASONS.get(limit.name)
        found[limit] = (reason(results) if reason is not None else None) or ""
    return found


def lines(results: Results) -> Iterator[str]:
    """Yield a table in Markdown of the limits that were missed, with the reasons."""
    missed = missed_limits(results)
    if not missed:
        return
    yield "| workload | limit that is not met | why |\n|---|---|---|"
    for (workload, reason), limits in groupby(missed, lambda limit: (limit.workload, missed[limit])):
        yield f"| {workload} | {', '.join(limit.measure for limit in limits)} | {reason} |"
    yield ""


def _always(sentence: str, _results: Results) -> str:
    return sentence


def _peer(name: str, results: Results) -> str | None:
    """Say so where a program in C that only receives would not meet the limit either."""
    ratio, idle = (results.limited.get(each) for each in (name, "idle"))
    if ratio is None or idle is None:
        return None
    times = ratio.median * idle.median
    limit = next(limit for limit in LIMITS if limit.name == name)
    other, _, _ = limit.measure.partition(" / one")
    also = "" if limit.met_by(times) else ", which would not meet the limit either"
    return f"{other} takes {times:.3g} times as long as the C baseline{also}."


def _memory_own(results: Results) -> str | None:
    alone = _median(results, _HOUR, "at the start")
    if alone is None:
        return None
    return (
        "Python and the modules are most of it: one process that takes samples and does nothing else has "
        f"{Unit.BYTES.format(alone)}."
    )


def _memory_pods(results: Results) -> str | None:
    own, pods = (results.limited.get(name) for name in ("memory_own", "pods_memory"))
    if own is None or pods is None:
        return None
    each = Unit.BYTES.format((pods.median - own.median) / _PODS_COUNT)
    return f"Without other namespaces it is {Unit.BYTES.format(own.median)}; each of them adds {each}."


def _pass(results: Results) -> str | None:
    large = results.limited.get("namespaces")
    if large is None:
        return None
    return (
        "In a namespace with few listeners most of a sample does not depend on their number: with 300 "
        f"namespaces of 20 the ratio is {Unit.RATIO.format(large.median)}."
    )


def _unlimited(results: Results) -> str | None:
    baseline = _median(results, _NAMESPACE_SAMPLES, BASELINE, PODS)
    if baseline is None:
        return None
    return f"The C baseline alone uses {Unit.SHARE.format(baseline * _SAMPLES_PER_SECOND)} at this interval."


def _interval(results: Results) -> str | None:
    exporter = _median(results, _NAMESPACE_SAMPLES, EXPORTER, PODS)
    if exporter is None:
        return None
    return (
        "The budget of 2 % is for counters, half-open connections, discovery and pages as well; what they "
        f"leave is too little for more samples, of which one of all 110 takes {format_seconds(exporter)}."
    )


def _median(results: Results, table: str, program: str, workload: str = "") -> float | None:
    """Return the first figure of a program, in the table and the workload that begin so."""
    return next(
        (
            each.summary.median
            for each in results.measurements
            if each.table.startswith(table) and each.program == program and each.workload.startswith(workload)
        ),
        None,
    )


_EPISODES: Final = partial(
    _always,
    "An episode of 60 ms is missed where samples are further apart than that: where the budget does not let "
    "a namespace be sampled as often, or where a sample is late.",
)

_REASONS: Final[Mapping[str, _Reason]] = {
    **{name: partial(_peer, name) for name in ("ss", "raindrops", "procfs")},
    "daemon_cpu": partial(
        _always,
        "More than half of it is for samples, the rest mostly for waking up 20 times a second and for pages.",
    ),
    "memory_own": _memory_own,
    "pods": _pass,
    "pods_unlimited_cpu": _unlimited,
    "pods_cpu": partial(
        _always,
        "Samples keep six tenths of the budget, however much pages and waking up use.",
    ),
    "pods_longest_interval": _interval,
    "pods_usual_interval": _interval,
    "few_pods_usual_interval": _interval,
    "pods_memory": _memory_pods,
    "namespaces_episodes_peak": _EPISODES,
    "namespaces_episodes_full": _EPISODES,
    "churn_memory": partial(
        _always,
        "It levels off: in a run of 20 minutes it grew by 0.9 MB from the fifth minute to the nineteenth.",
    ),
    "first_page": partial(
        _always,
        "The first page waits until every namespace was sampled and the owner of every listener looked for.",
    ),
}
