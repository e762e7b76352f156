"""docs/configuration.md: made from the declarations, with a row for every key."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from exporter.config.model import Config
from exporter.config.reference import reference
from exporter.yamlfile.key import Key, keys_of
from exporter.yamlfile.section import MappingListType, keys_below

WRITTEN = Path(__file__).parents[2] / "docs" / "configuration.md"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


ROWS = {cells(line)[0]: cells(line) for line in reference().splitlines() if line.startswith("| `")}


def paths(keys: tuple[Key, ...], prefix: str = "") -> Iterator[str]:
    for key in keys:
        yield prefix + key.name
        suffix = "[]." if isinstance(key.type, MappingListType) else "."
        yield from paths(keys_below(key), prefix + key.name + suffix)


def test_the_page_in_docs_is_made_from_the_declarations() -> None:
    assert WRITTEN.read_text() == reference(), "run `make reference`"


def test_the_command_prints_the_page() -> None:
    command = [sys.executable, "-m", "exporter.config.reference"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == reference()


def test_every_key_has_a_row_or_a_heading() -> None:
    headings = {line.removeprefix("### ") for line in reference().splitlines() if line.startswith("### ")}
    assert {path for path in paths(keys_of(Config)) if f"`{path}`" not in ROWS} <= headings


def test_every_row_has_all_cells() -> None:
    assert {len(row) for row in ROWS.values()} == {5}


def test_a_row_has_type_range_default_and_meaning() -> None:
    assert ROWS["`sampling.interval`"] == [
        "`sampling.interval`",
        "duration",
        "1ms to 4s",
        "`50ms`",
        "How often the accept queues are read.",
    ]


def test_the_default_of_a_rule_is_where_it_takes_it_from() -> None:
    assert ROWS["`rules[].name`"][3] == "none: required"
    assert ROWS["`rules[].match.port`"][3] == "any"
    assert ROWS["`rules[].accept.warning`"][3] == "that of `defaults.accept.warning`"
    assert ROWS["`rules[].hold`"][3] == "that of `defaults.hold`"
    assert ROWS["`rules[].export`"][3] == "that of `defaults.export`"


def test_wildcards_are_no_markup() -> None:
    assert "a pattern with \\* and ?" in ROWS["`rules[].match.process`"][2]
