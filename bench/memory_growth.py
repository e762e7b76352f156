"""Takes an hour's worth of samples in less than a minute, to see whether memory grows.

`python -m bench.memory_growth SAMPLES` prints the samples taken so far and the resident bytes, some twenty
times. All modules of the daemon are loaded.
"""

from __future__ import annotations

import sys
from typing import Final

from bench.exporter_internals import memory_growth

_LINES: Final = 20


if __name__ == "__main__":
    samples = int(sys.argv[1])
    for number, resident in memory_growth(samples, every=samples // _LINES):
        print(number, resident, flush=True)
