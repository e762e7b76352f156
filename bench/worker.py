"""Runs one repetition for each line on standard input, and prints what it took.

`python -m bench.worker NAME` prints `ready`, then for each line the processor and wall seconds of one
repetition and the number that it returned. Each worker is a process, so that none has another's memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

from bench import exporter_internals, peers
from bench.repetition import Repetition
from bench.workloads.socket_process import receive_segments

REPETITIONS: Final[dict[str, Callable[[], Repetition]]] = {
    "inet": lambda: exporter_internals.sample("inet"),
    "unix": lambda: exporter_internals.sample("unix"),
    "syn_recv": lambda: exporter_internals.sample("syn_recv"),
    "inet_minute": lambda: exporter_internals.minute("inet", before=lambda: None),
    "syn_recv_minute": lambda: exporter_internals.minute("syn_recv", before=receive_segments),
    "syn_recv_dump": exporter_internals.count_syn_recv,
    "page_full": lambda: exporter_internals.write_page("full"),
    "page_lean": lambda: exporter_internals.write_page("lean"),
    "generate_latest_full": lambda: exporter_internals.generate_page("full"),
    "generate_latest_lean": lambda: exporter_internals.generate_page("lean"),
    "pyroute2": peers.pyroute2,
    "procfs": peers.procfs,
}


def main(name: str) -> None:
    """Run until standard input ends."""
    repetition = REPETITIONS[name]()
    print("ready", flush=True)
    for _ in sys.stdin:
        repetition.prepare()
        cpu, wall = time.process_time(), time.perf_counter()
        number = repetition.run()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(cpu, wall, number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
