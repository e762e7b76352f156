"""Whole files: each bad one is named after its fault and lies next to the lines it must bring forth."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import Config, ConfigError, load

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
GOOD = sorted((HERE / "good").glob("*.yaml"))
NOTHING = ("empty", "comment-only", "document-start-only", "empty-mapping")


def by_name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", BAD, ids=by_name)
def test_a_bad_file_is_refused_with_exactly_these_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(ConfigError) as caught:
        load(path.name)
    assert str(caught.value) + "\n" == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize("path", GOOD, ids=by_name)
def test_a_good_file_is_read(path: Path) -> None:
    assert isinstance(load(str(path)), Config)


@pytest.mark.parametrize("name", NOTHING)
def test_a_file_that_says_nothing_gives_the_defaults(name: str) -> None:
    assert load(str(HERE / "good" / f"{name}.yaml")) == Config()


def test_every_bad_file_has_its_lines_and_all_lines_have_their_file() -> None:
    assert {path.stem for path in BAD} == {path.stem for path in (HERE / "bad").glob("*.txt")}


def test_the_example_has_the_defaults_in_it() -> None:
    example = load(str(HERE.parents[1] / "config.example.yaml"))
    usual = Config()
    assert example.sampling == usual.sampling
    assert example.namespaces == usual.namespaces
    assert example.labels == usual.labels
    assert example.max_listeners == usual.max_listeners
    assert example.defaults == usual.defaults


@pytest.mark.parametrize(
    "key",
    [
        *(
            "interval",
            "cpu_budget",
            "method",
            "peak_window",
            "histogram",
            "namespaces",
            "labels",
            "max_listeners",
            "defaults",
        ),
        *("enabled", "include", "exclude", "max"),
        *("accept", "syn_recv", "warning", "critical", "hold", "release", "rules", "name", "match", "export"),
        *("protocol", "address", "port", "netns", "process", "unit", "container", "pod", "namespace"),
    ],
)
def test_the_example_shows_every_key(key: str) -> None:
    lines = (HERE.parents[1] / "config.example.yaml").read_text().splitlines()
    assert any(line.strip().removeprefix("- ").startswith(f"{key}:") for line in lines)
