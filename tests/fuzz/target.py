"""What a target is, how it is found by its name, and what every one of them has to hold."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TARGETS: Final = Path(__file__).with_name("targets")
_CORPUS: Final = Path(__file__).with_name("corpus")
# Parts of one input are separated by this, so that the files of a corpus stay readable.
SEPARATOR: Final = b"\n%%\n"


class TooSlowError(Exception):
    """An input took more processor time than any may."""


@dataclass(frozen=True, slots=True)
class Target:
    """A function that takes any bytes, and raises for those that show a fault.

    `max_bytes` is the length of the longest input, `words` are pieces that valid input consists of, and
    `max_seconds` is the processor time that one input may take, with the slowest of machines in mind.
    """

    run: Callable[[bytes], None]
    max_bytes: int = 2048
    words: Sequence[bytes] = ()
    max_seconds: float = 2.0

    def check(self, data: bytes) -> None:
        """Run it. Raises TooSlowError, and whatever shows a fault."""
        started = time.thread_time()
        self.run(data)
        seconds = time.thread_time() - started
        if seconds > self.max_seconds:
            raise TooSlowError(f"{len(data)} bytes took {seconds:.1f} s of processor time")


def names() -> list[str]:
    """Return the names of all targets, in order."""
    return sorted(path.stem for path in _TARGETS.glob("*.py") if path.stem != "__init__")


def load(name: str) -> Target:
    """Return a target by its name."""
    target = importlib.import_module(f"tests.fuzz.targets.{name}").TARGET
    assert isinstance(target, Target)
    return target


def corpus_folder(name: str) -> Path:
    """Return the folder with the inputs that a target begins with."""
    return _CORPUS / name


def corpus(name: str) -> list[bytes]:
    """Return the inputs that a target begins with."""
    return [path.read_bytes() for path in sorted(corpus_folder(name).iterdir())]


def parts(data: bytes, count: int) -> list[bytes]:
    """Split an input into so many parts; those that it does not have are empty."""
    found = data.split(SEPARATOR, count - 1)
    return [*found, *[b""] * (count - len(found))]
