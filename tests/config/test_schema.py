"""The JSON Schema for editors: it accepts what the parser accepts, and rejects what a schema can reject."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from exporter.config.schema import schema
from tests.config import yaml12

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WRITTEN = ROOT / "docs" / "config.schema.json"
GOOD = [ROOT / "config.example.yaml", *sorted((HERE / "good").glob("*.yaml"))]
BAD = sorted((HERE / "bad").glob("*.yaml"))

# What makes these files wrong is in no single value, or in no form of text that is simple to express.
NOT_EXPRESSIBLE = {
    # the range of a duration or a percentage
    *("cpu-budget-out-of-range", "cpu-budget-zero", "duration-out-of-range", "duration-zero"),
    # text that is an address or a range of ports
    *(
        "address-as-pattern",
        "address-that-no-name-has",
        "address-broken",
        "address-host-bits",
        "address-mapped-host-bits",
        "address-with-device",
        "address-with-port",
    ),
    "port-range-reversed",
    # several keys together
    *(
        "peak-window-below-interval",
        "port-with-unix-name",
        "tcp-twice-with-unix-name",
        "tcp-with-unix-name",
        "unix-with-ip",
        "unix-with-port",
    ),
    *("warning-above-built-in-critical", "warning-above-critical", "warning-above-inherited-critical"),
    *("rule-for-namespaces-by-number", "rule-for-namespaces-not-enabled", "rule-for-namespaces-not-included"),
    # several rules together
    *("rule-after-one-without-match", "rule-inside-a-part-of-an-earlier-one", "rule-inside-earlier-network"),
    *("rule-inside-earlier-pattern", "rule-inside-earlier-ports", "rule-inside-earlier-protocol"),
    *("rule-inside-earlier-star", "rule-name-twice", "fold-with-the-same-labels"),
    # what is lost when YAML is loaded
    "duplicate-key",
}


def name(path: Path) -> str:
    return path.stem


def is_accepted(path: Path) -> bool:
    try:
        document = yaml12.load(path.read_text("utf-8-sig"))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return False
    return bool(Draft202012Validator(schema()).is_valid(document))


def test_the_file_in_docs_is_made_from_the_declarations() -> None:
    assert json.loads(WRITTEN.read_text()) == schema(), "run `make reference`"


def test_the_command_prints_the_file() -> None:
    command = [sys.executable, "-m", "exporter.config.schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == WRITTEN.read_text(), "run `make reference`"


def test_it_is_a_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", GOOD, ids=name)
def test_a_valid_file_is_accepted(path: Path) -> None:
    assert is_accepted(path)


@pytest.mark.parametrize("path", BAD, ids=name)
def test_a_wrong_file_is_rejected_where_a_schema_can_tell(path: Path) -> None:
    assert is_accepted(path) == (path.stem in NOT_EXPRESSIBLE)


def test_the_example_names_the_schema() -> None:
    (line,) = (
        line
        for line in (ROOT / "config.example.yaml").read_text().splitlines()
        if line.startswith("# yaml-language-server:")
    )
    assert ROOT / line.partition("$schema=")[2] == WRITTEN


def test_defaults_are_those_of_the_parser() -> None:
    properties = schema()["properties"]
    assert properties["sampling"]["properties"]["interval"]["default"] == "50ms"
    assert properties["namespaces"]["properties"]["include"]["default"] == ["*"]
    assert properties["max_listeners"]["default"] == 2000
    assert properties["defaults"]["properties"]["export"]["default"] == "lean"


def test_what_a_rule_takes_from_the_defaults_has_no_default_of_its_own() -> None:
    rule = schema()["properties"]["rules"]["items"]["properties"]
    assert "default" not in rule["hold"]
    assert "default" not in rule["accept"]["properties"]["warning"]
    assert "default" not in rule["export"]


def test_descriptions_name_the_range_that_the_schema_does_not_check() -> None:
    interval = schema()["properties"]["sampling"]["properties"]["interval"]
    assert interval["description"].endswith("Duration: 1ms to 4s.")
