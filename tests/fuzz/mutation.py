"""Inputs made from those of a corpus at random, for where no coverage guides them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from typing import Final

# Lengths and numbers at the limits of their types.
_NUMBERS: Final = (0, 1, 3, 4, 15, 16, 17, 88, 255, 256, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_MAX_CHANGES: Final = 5
_MAX_PIECE_BYTES: Final = 24
_MAX_REPETITIONS: Final = 200


def inputs(
    corpus: Sequence[bytes], words: Sequence[bytes], max_bytes: int, chance: random.Random
) -> Iterator[bytes]:
    """Yield inputs without end: those of the corpus with changes, pieces of two of them, and random bytes."""
    while True:
        data = bytearray(chance.choice(corpus) if corpus and chance.random() > 0.05 else chance.randbytes(40))
        for _ in range(chance.randint(1, _MAX_CHANGES)):
            _change(data, corpus, words, chance)
        yield bytes(data[:max_bytes])


def _change(data: bytearray, corpus: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randint(0, len(data))
    piece = data[at : at + chance.randint(1, _MAX_PIECE_BYTES)]
    match chance.randrange(9):
        case 0 if at < len(data):
            data[at] = chance.randrange(256)
        case 1 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 2 if at + 2 <= len(data):
            struct.pack_into("=H", data, at, chance.choice(_NUMBERS) & 0xFFFF)
        case 3 if at + 4 <= len(data):
            struct.pack_into("=I", data, at, chance.choice(_NUMBERS))
        case 4:
            del data[at:]
        case 5:
            del data[at : at + len(piece)]
        case 6:
            data[at:at] = piece * (chance.randint(1, _MAX_REPETITIONS) if chance.random() < 0.1 else 1)
        case 7 if words:
            data[at:at] = chance.choice(words)
        case _ if corpus:
            other = chance.choice(corpus)
            data[at:] = other[chance.randint(0, len(other)) :]
