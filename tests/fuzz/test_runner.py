"""What `make fuzz` prints and returns, and what counts as a fault."""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path

import pytest

from tests.fuzz import mutation, target
from tests.fuzz.__main__ import Result, fuzz, main
from tests.fuzz.target import SEPARATOR, Target, TooSlowError, parts
from tests.fuzz.unguided import try_inputs


def test_an_input_that_takes_too_long_is_a_fault() -> None:
    def spin(_: bytes) -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass

    with pytest.raises(TooSlowError, match="3 bytes took"):
        Target(spin, max_seconds=0.01).check(b"abc")
    Target(spin, max_seconds=60).check(b"abc")


def test_a_target_without_a_fault_passes(tmp_path: Path) -> None:
    result = fuzz("tcp_rows", 10, tmp_path, "tests.fuzz.unguided")
    assert result.passed
    assert "no fault" in result.line()


def test_a_target_with_a_fault_fails_and_keeps_the_input(tmp_path: Path) -> None:
    def refuse(data: bytes) -> None:
        assert b"9" not in data

    assert try_inputs(Target(refuse), [b"789"], 10, tmp_path) == 1
    (kept,) = tmp_path.glob("fault-*")
    assert kept.read_bytes() == b"789"


def test_a_target_that_ends_with_an_error_is_a_line_that_says_where_to_look(tmp_path: Path) -> None:
    result = fuzz("tcp_rows", 10, tmp_path, "tests.fuzz.no_such_module")
    assert not result.passed
    assert f"FAULT, see {tmp_path}" in result.line()
    assert "no_such_module" in result.log.read_text()


def test_an_unknown_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["no_such_target"])
    assert end.value.code == 2
    assert "no such target: no_such_target; there are " in capsys.readouterr().err


def test_the_peak_of_memory_is_a_part_of_the_line() -> None:
    assert "41 MiB" in Result("dump", passed=True, seconds=1, memory_mib=41, log=Path("log")).line()


def test_inputs_made_at_random_differ_and_keep_to_the_length() -> None:
    made = list(itertools.islice(mutation.inputs([b"abc" * 20], [b"word"], 50, random.Random(1)), 500))
    assert all(len(data) <= 50 for data in made)
    assert len(set(made)) > 400
    assert any(b"word" in data for data in made)


def test_an_input_has_as_many_parts_as_are_asked_for() -> None:
    assert parts(b"a" + SEPARATOR + b"b" + SEPARATOR + b"c", 2) == [b"a", b"b" + SEPARATOR + b"c"]
    assert parts(b"", 3) == [b"", b"", b""]


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert sorted(path.name for path in target.corpus_folder("").iterdir()) == target.names()
