"""A directory with very many names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# ext4 gives a file 65,000 names at most.
_NAMES_OF_A_FILE: Final = 60_000


def make_names(directory: Path, count: int) -> None:
    """Make `count` names in `directory`: those of few files, since files take four times as long."""
    for first in range(0, count, _NAMES_OF_A_FILE):
        file = directory / str(first)
        file.touch()
        for number in range(first + 1, min(first + _NAMES_OF_A_FILE, count)):
            os.link(file, directory / str(number))
