"""Fuzz one target without atheris: `python -m tests.fuzz.unguided TARGET INPUTS FOLDER`.

Inputs are those of the corpus with random changes. One that shows a fault is written to FOLDER/fault-*, and
the exit status is 1.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz import mutation, target
from tests.fuzz.target import Target


def try_inputs(fuzzed: Target, corpus: Sequence[bytes], count: int, folder: Path) -> int:
    """Try the inputs of a corpus and so many that are made from them; return the exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    made = mutation.inputs(corpus, fuzzed.words, fuzzed.max_bytes, random.Random())
    for data in itertools.chain(corpus, itertools.islice(made, count)):
        try:
            fuzzed.check(data)
        except Exception:  # noqa: BLE001  (whatever it is, it is the fault that was looked for)
            traceback.print_exc()
            (folder / f"fault-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            return 1
    return 0


def main(name: str, inputs: int, folder: Path) -> int:
    """Fuzz, and return the exit status."""
    return try_inputs(target.load(name), target.corpus(name), inputs, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
