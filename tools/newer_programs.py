"""Unpacks the monitoring programs of Debian's newest release into .debian/newer: `-m tools.newer_programs`.

Rules, scrapes and alerts are tested with them beside those of this machine's release. They need no newer C
library than it has.
"""

from __future__ import annotations

import shutil
import sys

from testbed import debian
from testbed.programs import NEWER

_FOLDER = NEWER.parents[1]
_COMPLETE = _FOLDER / "complete"
_PACKAGES = ("prometheus", "promtool", "prometheus-alertmanager", "victoria-metrics")


def main() -> None:
    """Fetch them where they are not there yet; where that cannot be done, say so."""
    if _COMPLETE.exists():
        return
    print(f"unpacking into .debian/newer: {' '.join(_PACKAGES)}", flush=True)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    lists = _FOLDER / "apt"
    try:
        debian.Packages("sid", lists).unpack(_PACKAGES, _FOLDER)
    except (debian.UnavailableError, debian.BootstrapError) as error:
        print(f"{error}; tests with newer monitoring programs are skipped", file=sys.stderr)
        shutil.rmtree(_FOLDER)
        return
    shutil.rmtree(lists)
    _COMPLETE.touch()


if __name__ == "__main__":
    main()
