"""A process that does one kind of work once for each line on standard input, and says what it took.

`python -m bench.worker KIND`: prints `ready`, then for each line the processor and wall seconds of one
repetition and a number that the work returned. What is measured runs alone in its process, so that nobody
pays for another's memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from bench import ours, passes, peers
from bench.holder import poke
from bench.work import Work

KINDS: dict[str, Callable[[], Work]] = {
    "inet": lambda: ours.source("inet"),
    "unix": lambda: ours.source("unix"),
    "syn_recv": lambda: ours.source("syn_recv"),
    "syn_recv_minute": lambda: ours.minute("syn_recv", before=poke),
    "inet_minute": lambda: ours.minute("inet", before=lambda: None),
    "walk": ours.walk,
    "page": ours.page,
    "pass": passes.a_pass,
    "generate_latest": ours.generate,
    "pyroute2": peers.pyroute2,
    "procfs": peers.procfs,
}


def main(kind: str) -> None:
    """Serve lines until there are no more."""
    work = KINDS[kind]()
    print("ready", flush=True)
    for _ in sys.stdin:
        work.prepare()
        elsewhere = work.elsewhere()
        cpu, wall = time.process_time(), time.perf_counter()
        result = work.do()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(cpu + work.elsewhere() - elsewhere, wall, result, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
