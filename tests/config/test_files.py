"""Whole files. Each bad one is named after its error, and has the lines of the error beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import Config, ConfigError, ConfigFile

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
GOOD = sorted((HERE / "good").glob("*.yaml"))


def by_name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", BAD, ids=by_name)
def test_a_bad_file_gives_exactly_these_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(ConfigError) as caught:
        ConfigFile(path.name).load()
    assert str(caught.value) + "\n" == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize("path", GOOD, ids=by_name)
def test_a_good_file_is_read(path: Path) -> None:
    assert isinstance(ConfigFile(str(path)).load(), Config)


def test_an_empty_mapping_gives_the_defaults() -> None:
    assert ConfigFile(str(HERE / "good" / "empty-mapping.yaml")).load() == Config()


def test_every_bad_file_has_lines_and_all_lines_have_a_file() -> None:
    assert {path.stem for path in BAD} == {path.stem for path in (HERE / "bad").glob("*.txt")}
