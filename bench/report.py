"""The document: what was measured, beside what has to be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.bar import BARS, Unit, limit_of, seconds_text
from bench.cost import Figure
from bench.lineup import FLOOR, WALK
from bench.plot import Plot
from bench.results import Results

_AGAINST_OTHERS = ("ss", "raindrops", "procfs")

_HEAD = """# Performance

What the exporter costs, beside a floor and beside other programs that read accept queues. The floor is a
program in C that sends the same request, receives the answer and discards it: no sampler can be cheaper.

Every figure is processor time (user and system) unless it says otherwise. Everybody was measured in the
same run on the same load, in turns (A, B, C, A, B, C, ...), so that what disturbs one disturbs all. Shared
machines are noisy: compare the ratios, not the times. A ratio is taken in each round; the table has the
median of the rounds, then the lowest and the highest.

`make bench` repeats it all in about six minutes and writes this page anew. It needs root, a C compiler,
about 2 GB of memory and, for what it fetches itself, apt-get. `make bench-quick` is the short form that
continuous integration runs: smaller loads, and it fails where a ratio is beyond `bench/limits.toml`.
"""

_HOW = """
## How it was measured

- **Load.** Each load stands in a network namespace of its own, held by processes that do nothing else. A
  connection with both ends on one machine is two sockets, and it is sockets that are counted here. Half-open
  connections come from forged SYN packets through a TUN device.
- **One sample** is what the daemon does on one beat of one source, called in a process that does nothing
  else: ask, receive, compare, fold into the histories. Its first two samples, in which every listener is new,
  are not counted. Queues that change are changed outside of what is measured.
- **Idle listeners.** A few segments come in before each look, as they do on any host that is used. Where none
  comes in and all queues were empty, the exporter knows that they still are, and asks the kernel for the
  listeners once a second only: that is the line of a minute's mean, and the bars with nothing coming in.
- **SYN_RECV.** Before each sample, a few segments come in, as they do on any host that is used: without them
  the exporter sees that nothing came in and does not ask at all. The mean of a minute's worth of samples is
  shown besides, since some may cost more than others.
- **The others.** `ss` is a process that starts, prints to /dev/null and ends, as a script would run it.
  raindrops, pyroute2 and the loop over /proc/net/tcp and tcp6 stay loaded, so only their work counts.
  node_exporter's figure is the processor time of its process for one scrape.
- **The page.** Both writers write the very same families, which are read back from our page, so both write
  the same number of series: 21 for a TCP listener without its histogram (12 of its queues, 8 of its
  thresholds, 1 of information). prometheus_client's writer is handed families that are made already; ours
  also reads every figure from the histories.
- **Namespaces.** Each of them is held by a process of its own. For every one of them the floor opens the
  namespace, goes in, asks over one socket for the TCP and then for the unix listeners, and closes all.
- **Lateness** is the time from the beat that was due to the moment its sample began.
- **Episodes.** Queues are filled for 60 ms at random times. An episode counts where a program in C that looks
  at that queue every 2 ms saw it full. What a gauge would have seen is worked out from the same looks, for
  every phase that it could have.
- **An hour's worth of samples** is taken as fast as possible, while queues change, with a page for every
  15 s of that time.
- **Peak memory** is read from the kernel's counters of pages, which are exact to about 0.5 MB: 0 is less
  than that.
"""


def document(results: Results, pictures: Sequence[Plot], prefix: str) -> str:
    """Write the whole page in Markdown; pictures are files whose names start with `prefix`."""
    return "\n".join(
        [
            _HEAD,
            *_machine(results),
            *_bars(results),
            *_missing(results),
            *_pictures(pictures, prefix),
            _HOW,
            *_tables(results),
        ]
    )


def _machine(results: Results) -> Iterator[str]:
    yield "| measured with | |\n|---|---|"
    yield from (f"| {name} | {value} |" for name, value in results.machine.items())
    yield ""


def _bars(results: Results) -> Iterator[str]:
    yield "## What has to be reached\n"
    yield "| load | measure | bar | median | lowest | highest | met |\n|---|---|---|---|---|---|---|"
    for bar in BARS:
        limit = limit_of(bar, results.bars)
        reached = results.bars.get(bar.name)
        if reached is None:
            yield f"| {bar.load} | {bar.measure} | {bar.text(limit)} | | | | not measured |"
            continue
        met = "yes" if bar.holds(reached.middle, limit) else "**no**"
        cells = " | ".join(
            bar.unit.write(value) for value in (reached.middle, reached.lowest, reached.highest)
        )
        yield f"| {bar.load} | {bar.measure} | {bar.text(limit)} | {cells} | {met} |"
    yield ""
    yield from _out_of_reach(results)


def _out_of_reach(results: Results) -> Iterator[str]:
    """Name the bars that not even the floor would reach on this load."""
    idle = results.bars.get("idle")
    for bar in BARS:
        reached = results.bars.get(bar.name)
        if bar.name in _AGAINST_OTHERS and reached is not None and idle is not None:
            floor = reached.middle * idle.middle
            if not bar.holds(floor):
                name = bar.measure.partition(" / one")[0]
                yield (
                    f"The bar for {name} is out of reach here: it takes {floor:.3g} times as long as the "
                    "floor, so a program that did nothing but receive would miss it too.\n"
                )


def _missing(results: Results) -> Iterator[str]:
    if results.missing:
        yield "## What could not be measured\n"
        yield from (f"- {missing.what}: {missing.reason}" for missing in results.missing)
        yield ""


def _pictures(pictures: Sequence[Plot], prefix: str) -> Iterator[str]:
    yield from (f"![{picture.caption}]({prefix}{picture.name}.svg)\n" for picture in pictures)


def _tables(results: Results) -> Iterator[str]:
    for table, figures in results.tables().items():
        floors = {
            figure.load: figure.spread.middle
            for name in (FLOOR, WALK)
            for figure in figures
            if figure.subject == name
        }
        against = (
            f" / {WALK if any(figure.subject == WALK for figure in figures) else FLOOR} |" if floors else ""
        )
        yield f"## {table}\n"
        yield f"| load | subject | median | lowest | highest |{against}"
        yield "|---|---|---|---|---|" + ("---|" if floors else "")
        for figure in figures:
            yield _row(figure, floors.get(figure.load) if floors else None, compared=bool(floors))
        yield ""


def _row(figure: Figure, floor: float | None, *, compared: bool) -> str:
    spread = figure.spread
    write = {"s": seconds_text, "B": Unit.BYTES.write, "share": Unit.SHARE.write}[figure.unit]
    values = " | ".join(write(value) for value in (spread.middle, spread.lowest, spread.highest))
    ratio = f" {spread.middle / floor:.3g} |" if floor else " |"
    return f"| {figure.load} | {figure.subject} | {values} |{ratio if compared else ''}"
