"""The sampling loop in its thread, asked now and then what it has noticed of one port.

`python -m bench.loop PEAK_WINDOW`: for each port on standard input the answer is the peak utilization in the
window of so many seconds, and the seconds in which the queue was full.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

from exporter.config.model import Config
from exporter.sampling.environment import host_environment
from exporter.sampling.sampler import Sampler


def main(peak_window: float) -> None:
    """Sample with the defaults, but for the window, until standard input is closed."""
    config = Config()
    config = replace(config, sampling=replace(config.sampling, peak_window_seconds=peak_window))
    sampler = Sampler(config, host_environment())
    sampler.start(lambda: os._exit(1))
    while not sampler.ready():
        time.sleep(0.01)
    print("ready", flush=True)
    for line in sys.stdin:
        port = line.strip()
        with sampler.lock:
            noticed = [
                (watched.accept.peak_ratio() or 0.0, watched.accept.full_seconds() or 0.0)
                for namespace in sampler.namespaces
                for watched in namespace.table.states.values()
                if watched.group.key.port == port and watched.group.members
            ]
        peak, full = noticed[0] if noticed else (0.0, 0.0)
        print(peak, full, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
