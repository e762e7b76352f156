"""Writes docs/performance.md and its charts: the measurements, beside the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench import missed_limits
from bench.comparison import BASELINE, SYN_RECV_BASELINE
from bench.document_charts import Chart, charts
from bench.limits import LIMITS, limit_in_force
from bench.results import Measurement, Results
from bench.units import Unit, format_seconds

NAME: Final = "performance.md"
_CHART_FILES: Final = "performance-*.svg"
# Of the unit of a measurement.
FORMATS: Final = {
    "s": format_seconds,
    "B": Unit.BYTES.format,
    "share": Unit.SHARE.format,
    "count": Unit.COUNT.format,
}

_HEAD: Final = """# Performance

What the exporter costs, beside a baseline in C and other programs that read accept queues. The C baseline
sends the same request, receives the answer and discards it: no program that takes samples can cost less.

All values are processor time (user and system) where nothing else is said. All programs of a table were
measured in the same run on the same sockets, one after the other in each round (A, B, C, A, B, C, ...), so
that what disturbs the machine disturbs all of them. Shared machines are noisy: compare the ratios, not the
times. A ratio is computed in each round; the tables have the median, minimum and maximum of the rounds.

`make bench` measures everything again in about twenty minutes and writes this page; five of them show what
is left of namespaces that come and go. It needs root, a C compiler, about 2 GB of memory and, for the
packages it unpacks, apt-get. `make bench-quick` is the short form that continuous integration runs: it has
smaller workloads, and fails where a ratio is beyond `bench/quick_limits.toml`. Some cases alone, by a part
of their names: `python -m bench --only TEXT`, which writes nothing.
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
- **The page.** Both writers write the same families, which are parsed from the exporter's page, so both
  write the same number of series: those of `export: full`, and those of `export: lean`. prometheus_client's
  writer is given finished families; the exporter's also reads every value from the histories.
- **All processes** are the daemon and what it starts. Their processor time is read from the clocks of the
  processes, that of ended ones included; nothing else of the exporter is looked into, other than its page.
  Resident memory has each page that they share once, and pages of files in full. PSS, as the kernel adds it
  up, is less: it divides a page of a file by all programs that map it, and Python holds the namespaces too.
- **Namespaces.** Each is held by a process of its own, and has 3 TCP listeners and 1 unix listener, or 20
  TCP listeners, to which nobody connects. No TCP segment comes in. Where each has traffic, a client connects
  to each TCP listener once a second, is accepted at once and closes first.
- **One sample of all network namespaces.** The exporter runs without a budget and is not scraped. Its
  processor time over some seconds, everything that it does included, is divided by how many times it
  sampled every namespace in that time. The C baseline keeps a socket open in each namespace, and dumps the
  TCP and the unix listeners over it, at the same pace: a program that pauses between two samples finds less
  in the caches of the processor. Both sample the namespace that they run in as well.
- **Time between two samples of a namespace** is what the exporter publishes: the longest of any namespace,
  and the usual one, which is the median of the namespaces. The mean by the samples taken, and the age of
  the oldest sample on a page, are computed from other figures of the page, and have to agree.
- **Killed containers.** They are killed one after the other, each at a random time of the exporter's
  interval. As many are killed without the exporter. The times are compared by rank: the shortest with the
  shortest, and so on, so that the limit is for each of them, the slowest too.
- **Namespaces that come and go.** 20 are made a second, and each is killed after three seconds. What is
  held before and after is compared: descriptors of all processes, namespaces, and series of listeners and
  namespaces. Memory is compared as the median of the second minute with that of the last.
- **The first page.** The daemon is scraped from its start until it answers.
- **Waits** are followed with `export: full` alone. At ten of the listeners a client waits for 0.3 s, again
  and again. The interval is what the exporter publishes at each scrape: its walks over all connections are
  limited, and in between it looks up those that it has found.
- **Lateness** is the time from when a sample was due to when it began.
- **Episodes.** Queues are filled for 60 ms at random times, and the daemon is scraped after each. An episode
  counts where a program in C that reads the queue every 2 ms saw it full. What a gauge would have shown is
  computed from the same readings, as the probability that a scrape falls into an episode.
- **Episodes in a few of many namespaces.** Each of three listeners in each of the busy namespaces has one
  episode every three seconds, and the page is scraped once in that time, without the listeners that are not
  busy. Their queues were full for three seconds before, as those of busy services have been.
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
    yield from missed_limits.lines(results)


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
    text = FORMATS[measurement.unit]
    values = " | ".join(text(value) for value in (summary.median, summary.minimum, summary.maximum))
    return f"| {measurement.workload} | {measurement.program} | {values} |"
