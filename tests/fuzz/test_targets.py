"""The short form of `make fuzz`: each target with its corpus, and with some inputs made from it.

The inputs are the same in each run, so that a failure comes again; `make fuzz` tries others.
"""

from __future__ import annotations

import itertools
import random

import pytest

from tests.fuzz import mutation, target

_INPUTS = 100


@pytest.mark.parametrize("name", target.names())
def test_no_input_shows_a_fault(name: str) -> None:
    fuzzed, corpus = target.load(name), target.corpus(name)
    made = mutation.inputs(corpus, fuzzed.words, fuzzed.max_bytes, random.Random(name))
    for data in [b"", *corpus, *itertools.islice(made, _INPUTS)]:
        try:
            fuzzed.check(data)
        except Exception as error:
            error.add_note(f"with the input {data[:1000]!r}")
            raise


@pytest.mark.parametrize("name", target.names())
def test_inputs_of_the_corpus_are_small_and_different(name: str) -> None:
    corpus = target.corpus(name)
    assert corpus
    assert len(set(corpus)) == len(corpus)
    assert all(len(data) <= target.load(name).max_bytes for data in corpus)
