"""Fuzz one target with atheris: `python -m tests.fuzz.guided TARGET INPUTS FOLDER`.

Inputs that reach code which none before has reached are kept in FOLDER, and one that shows a fault in
FOLDER/fault-*; then the exit status is not 0. Options of libFuzzer:
https://llvm.org/docs/LibFuzzer.html#options.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import atheris

from tests.fuzz import target

# An input that takes longer than this many seconds, whatever else runs, hangs.
_HANG_SECONDS: Final = 60
_MAX_MEMORY_MIB: Final = 1024
# With the libraries as well, an input would take several times as long.
_INSTRUMENTED: Final = ["exporter"]


def main(name: str, inputs: int, folder: Path) -> None:
    """Fuzz; does not return."""
    found = folder / "corpus"
    found.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=_INSTRUMENTED):
        fuzzed = target.load(name)
    words = folder / "words"
    # An empty dictionary is an error.
    words.write_text("".join(map(_quoted, fuzzed.words or (b"\0",))))
    arguments = [
        sys.argv[0],
        f"-runs={inputs}",
        f"-max_len={fuzzed.max_bytes}",
        f"-timeout={_HANG_SECONDS}",
        f"-rss_limit_mb={_MAX_MEMORY_MIB}",
        f"-artifact_prefix={folder}/fault-",
        f"-dict={words}",
        "-print_final_stats=1",
        str(found),
        str(target.corpus_folder(name)),
    ]
    atheris.Setup(arguments, fuzzed.check)
    atheris.Fuzz()


def _quoted(word: bytes) -> str:
    """Write a word as a line of a dictionary of libFuzzer."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word[:64]) + '"\n'


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
