"""The limits that were missed, each with the reason that the figures of the same run give."""

from __future__ import annotations

import pytest

from bench.comparison import BASELINE, EXPORTER
from bench.limits import LIMITS, PODS, Direction
from bench.missed_limits import lines, missed_limits
from bench.results import Measurement, Results, Summary

SAMPLES = (
    Measurement("One sample of all network namespaces", PODS, 110, BASELINE, "s", Summary.of([0.006])),
    Measurement("One sample of all network namespaces", PODS, 110, EXPORTER, "s", Summary.of([0.0104])),
    Measurement("Resident memory over an hour", "100 listeners", 1, "at the start", "B", Summary.of([38e6])),
)


def run(measurements: tuple[Measurement, ...] = SAMPLES, /, **limited: float) -> Results:
    """A run with these values of limits."""
    return Results({}, measurements, {name: Summary.of([value]) for name, value in limited.items()}, (), {})


def reasons(results: Results) -> dict[str, str]:
    """The reason of each limit that was missed, by its name."""
    return {limit.name: reason for limit, reason in missed_limits(results).items()}


def test_limits_that_are_met_or_were_not_measured_are_not_there() -> None:
    assert reasons(run(idle=1.0, pods_cpu=0.02)) == {}
    assert list(lines(run(idle=1.0))) == []


def test_reasons_have_figures_of_the_same_run() -> None:
    found = reasons(
        run(pods_unlimited_cpu=0.2, pods_usual_interval=0.6, pods_memory=61e6, memory_own=50e6, pods=1.7)
    )
    assert found.keys() == {"pods_unlimited_cpu", "pods_usual_interval", "pods_memory", "memory_own", "pods"}
    assert "12 %" in found["pods_unlimited_cpu"]
    assert "10.4 ms" in found["pods_usual_interval"]
    assert "0.1 MB" in found["pods_memory"]
    assert "38 MB" in found["memory_own"]


@pytest.mark.parametrize(("ratio", "also"), [(1.5, True), (3.9, False)])
def test_where_the_program_in_c_misses_a_limit_as_well_it_is_said(ratio: float, *, also: bool) -> None:
    """The ratio is to the exporter, which takes 1.1 times as long as that program."""
    reason = reasons(run(raindrops=ratio, idle=1.1))["raindrops"]
    assert f"{ratio * 1.1:.3g} times" in reason
    assert ("would not meet" in reason) is also


def test_a_limit_that_no_reason_is_known_for_is_there_as_well() -> None:
    found = reasons(run((), pods_unlimited_cpu=0.2, help=1.0, pods=2.0))
    assert found == {"pods_unlimited_cpu": "", "help": "", "pods": ""}


def test_limits_of_one_workload_with_one_reason_share_a_line() -> None:
    head, line, end = lines(run(namespaces_episodes_peak=0.5, namespaces_episodes_full=0.5))
    assert head.startswith("| workload |")
    assert "the peak, share noticed by the seconds full | An episode of 60 ms" in line
    assert end == ""


def test_every_reason_can_be_given_for_any_run() -> None:
    """Whatever is missed and whatever else was measured."""
    missed = {
        limit.name: limit.value + 1 if limit.direction is Direction.AT_MOST else limit.value / 2
        for limit in LIMITS
    }
    assert reasons(run((), **missed)).keys() == missed.keys()
    assert all(reason == "" or reason.endswith(".") for reason in reasons(run(**missed)).values())


def test_no_workload_refers_to_the_one_before() -> None:
    """Rows of a table are read alone."""
    assert not [limit.workload for limit in LIMITS if "same" in limit.workload]
