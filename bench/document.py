"""Writes docs/performance.md and its charts: the measurements, beside the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.comparison import BASELINE, SYN_RECV_BASELINE
from bench.document_charts import Chart, charts
from bench.limits import LIMITS, limit_in_force
from bench.results import Measurement, Results
from bench.units import Unit, format_seconds

NAME: Final = "performance.md"
_CHART_FILES: Final = "performance-*.svg"
# The limits of ratios to other programs, which not every kernel and machine allows to be met.
_PEER_LIMITS: Final = ("ss", "raindrops", "procfs")
_FORMATS: Final = {"s": format_seconds, "B": Unit.BYTES.format, "share": Unit.SHARE.format}

_HEAD: Final = """# Performance

What the exporter costs, beside a baseline in C and other programs that read accept queues. The C baseline
sends the same request, receives the answer and discards it: no program that takes samples can cost less.

All values are processor time (user and system) where nothing else is said. All programs of a table were
measured in the same run on the same sockets, one after the other in each round (A, B, C, A, B, C, ...), so
that what disturbs the machine disturbs all of them. Shared machines are noisy: compare the ratios, not the
times. A ratio is computed in each round; the tables have the median, minimum and maximum of the rounds.

`make bench` measures everything again in about six minutes and writes this page. It needs root, a C
compiler, about 2 GB of memory and, for the packages it unpacks, apt-get. `make bench-quick` is the short form
that continuous integration runs: it has smaller workloads, and fails where a ratio is beyond
`bench/quick_limits.toml`.
"""

_METHOD: Final = """
## How it was measured

- **Workloads.** The sockets of a case are in a network namespace of their own, held open by processes that do
  nothing else. A connection with both ends on one machine is two sockets, and the tables count sockets.
  Half-open connections are made by SYN packets with forged senders, through a TUN device.
- **One sample** is what the daemon does each time a source is due, in a process that does nothing else: send
  the request, receive, compare with the sample before, update the histories. The first two samples, in which
  every listener is new, are not counted. Queues that change are changed while nothing is measured.
- **Idle listeners.** TCP segments are received before each repetition, as on any host in use. Where no
  segment is received and all queues were empty, the exporter reads from the kernel's counters that they still
  are, and dumps the listeners once a second only: that is the row and the limits with no segments received,
  which are the mean of a minute's samples.
- **SYN_RECV.** TCP segments are received before each sample here too; without them the exporter does not
  dump. The mean of a minute's samples is given besides, since some samples cost more than others.
- **Other programs.** `ss` is a process that starts, prints to /dev/null and exits, as in a script.
  raindrops, pyroute2 and the loop over /proc/net/tcp and tcp6 stay loaded, so that their start is not
  counted. For node_exporter it is the processor time of its process for one scrape.
- **The page.** Both writers write the same families, which are parsed from the exporter's page, so both write
  the same number of series: 21 for a TCP listener without its histogram (12 of its queues, 8 of its
  thresholds, 1 of information). prometheus_client's writer is given finished families; the exporter's also
  reads every value from the histories.
- **Namespaces.** Each is held by a process of its own. For each of them the C baseline opens the namespace,
  enters it, dumps the TCP and then the unix listeners over one socket, and closes everything.
- **Lateness** is the time from when a sample was due to when it began.
- **Episodes.** Queues are filled for 60 ms at random times, and the daemon is scraped after each. An episode
  counts where a program in C that reads the queue every 2 ms saw it full. What a gauge would have shown is
  computed from the same readings, as the probability that a scrape falls into an episode.
- **An hour's worth of samples** is taken without the pauses, while queues change, with one page for every
  15 s of that time.
- **Peak memory** is read from the kernel's page counters, which are exact to about 0.5 MB: 0 is less than
  that.
"""


def write_document(results: Results, folder: Path) -> None:
    """Write performance.md and its charts to a folder; charts that are there already are removed."""
    drawn = list(charts(results))
    for old in folder.glob(_CHART_FILES):
        old.unlink()
    for chart in drawn:
        (folder / chart.file).write_text(chart.svg)
    (folder / NAME).write_text(document(results, drawn))


def document(results: Results, drawn: Sequence[Chart]) -> str:
    """Return performance.md, which refers to these charts."""
    return "\n".join(
        [
            _HEAD,
            *_environment(results),
            *_limits(results),
            *_not_measured(results),
            *(f"![{chart.caption}]({chart.file})\n" for chart in drawn),
            _METHOD,
            *_tables(results),
        ]
    )


def _environment(results: Results) -> Iterator[str]:
    yield "| measured with | |\n|---|---|"
    yield from (f"| {name} | {value} |" for name, value in results.environment.items())
    yield ""


def _limits(results: Results) -> Iterator[str]:
    yield "## Limits\n"
    yield "| workload | measure | limit | median | minimum | maximum | met |\n|---|---|---|---|---|---|---|"
    for limit in LIMITS:
        value = limit_in_force(limit, results.limited)
        measured = results.limited.get(limit.name)
        if measured is None:
            yield f"| {limit.workload} | {limit.measure} | {limit.text(value)} | | | | not measured |"
            continue
        met = "yes" if limit.met_by(measured.median, value) else "**no**"
        cells = " | ".join(
            limit.unit.format(each) for each in (measured.median, measured.minimum, measured.maximum)
        )
        yield f"| {limit.workload} | {limit.measure} | {limit.text(value)} | {cells} | {met} |"
    yield ""
    yield from _unreachable(results)


def _unreachable(results: Results) -> Iterator[str]:
    """Name the limits that the C baseline does not meet either."""
    idle = results.limited.get("idle")
    for limit in LIMITS:
        measured = results.limited.get(limit.name)
        if limit.name in _PEER_LIMITS and measured is not None and idle is not None:
            ratio = measured.median * idle.median
            if not limit.met_by(ratio):
                name = limit.measure.partition(" / one")[0]
                yield (
                    f"The limit for {name} cannot be met here: it takes {ratio:.3g} times as long as the C "
                    "baseline, so a program that only receives would not meet it either.\n"
                )


def _not_measured(results: Results) -> Iterator[str]:
    if results.not_measured:
        yield "## What could not be measured\n"
        yield from (f"- {missing.name}: {missing.reason}" for missing in results.not_measured)
        yield ""


def _tables(results: Results) -> Iterator[str]:
    for table, measurements in results.tables().items():
        programs = {measurement.program for measurement in measurements}
        baseline = next((name for name in (SYN_RECV_BASELINE, BASELINE) if name in programs), None)
        medians = {each.workload: each.summary.median for each in measurements if each.program == baseline}
        yield f"## {table}\n"
        yield "| workload | program | median | minimum | maximum |" + (f" / {baseline} |" if baseline else "")
        yield "|---|---|---|---|---|" + ("---|" if baseline else "")
        for measurement in measurements:
            ratio = ""
            if baseline is not None:
                divisor = medians.get(measurement.workload)
                ratio = f" {measurement.summary.median / divisor:.3g} |" if divisor else " |"
            yield _row(measurement) + ratio
        yield ""


def _row(measurement: Measurement) -> str:
    summary = measurement.summary
    text = _FORMATS[measurement.unit]
    values = " | ".join(text(value) for value in (summary.median, summary.minimum, summary.maximum))
    return f"| {measurement.workload} | {measurement.program} | {values} |"
