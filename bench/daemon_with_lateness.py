"""The exporter's daemon, which notes how late each sample of the listeners begins.

`python -m bench.daemon_with_lateness FILE FLAG...` runs it. When it ends it writes a line for each sample to
FILE: the monotonic time at which it began, and the seconds since it was due.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.exporter_internals import run_noting_lateness

if __name__ == "__main__":
    # The sandbox lets the daemon open no file to write.
    with Path(sys.argv[1]).open("w") as file:
        status, noted = run_noting_lateness(sys.argv[2:])
        file.writelines(f"{now:.6f} {late:.6f}\n" for now, late in noted)
    sys.exit(status)
