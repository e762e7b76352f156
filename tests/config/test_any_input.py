"""Whatever a file has in it, the result is a Config, or a ConfigError with a readable line for each error."""

from __future__ import annotations

import re

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, parse

# The time that an example takes depends on the load of the machine.
each_input = settings(deadline=None)

LINE = re.compile(r"c\.yaml:[1-9][0-9]*:[1-9][0-9]*: .+")

WORDS = st.sampled_from(
    [
        *(
            "sampling",
            "interval",
            "cpu_budget",
            "method",
            "peak_window",
            "labels",
            "max_listeners",
        ),
        *(
            "defaults",
            "accept",
            "syn_recv",
            "warning",
            "critical",
            "hold",
            "release",
            "rules",
            "name",
            "match",
        ),
        *("namespaces", "enabled", "include", "exclude", "max", "host"),
        *(
            "export",
            "lean",
            "fold",
            "protocol",
            "address",
            "port",
            "netns",
            "process",
            "unit",
            "tcp",
            "unix",
            "auto",
            "edge",
        ),
        *(
            "50%",
            "1100%",
            "5s",
            "0.5ms",
            "10.0.0.0/8",
            "10.0.0.1/8",
            "::1",
            "/run/*.sock",
            "@a",
            "80-90",
            "90-80",
        ),
        *("fe80::1%eth0", "nan", "no", "<<", "\\", "", "\x85", "\U0010ffff"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | WORDS | st.text()
STRUCTURES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | SCALARS, inner, max_size=4),
    max_leaves=30,
)
FRAGMENTS = st.lists(
    WORDS
    | st.sampled_from(
        [*"\n:,[]{}-?&*!|>'\"%@`#\t ~", "\n  ", "- ", ": ", "---\n", "*a", "&a ", "!!int ", '"\\U']
    ),
    max_size=40,
).map("".join)


def errors(text: str) -> tuple[str, ...]:
    try:
        assert isinstance(parse(text, "c.yaml"), Config)
    except ConfigError as error:
        return error.lines
    return ()


def check(text: str) -> None:
    """Check that nothing but ConfigError is raised, and that each of its lines is printable with a place."""
    for line in errors(text):
        assert LINE.fullmatch(line)
        assert line.isprintable()


@each_input
@given(st.text(st.characters()))
def test_any_text_gives_a_config_or_a_config_error(text: str) -> None:
    check(text)


@each_input
@given(FRAGMENTS)
def test_any_pieces_of_yaml_give_a_config_or_a_config_error(text: str) -> None:
    check(text)


@each_input
@given(STRUCTURES, st.booleans())
def test_any_structure_gives_a_config_or_a_config_error(structure: object, flow: bool) -> None:  # noqa: FBT001
    check(yaml.safe_dump(structure, default_flow_style=flow))


@each_input
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "sampling": STRUCTURES,
            "namespaces": st.dictionaries(
                st.sampled_from(["enabled", "include", "exclude", "max"]),
                SCALARS | st.lists(SCALARS, max_size=3),
            ),
            "labels": STRUCTURES,
            "max_listeners": SCALARS,
            "defaults": STRUCTURES,
            "rules": st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "name": SCALARS,
                        "match": st.dictionaries(WORDS, SCALARS | st.lists(SCALARS, max_size=3), max_size=4),
                        "accept": st.dictionaries(st.sampled_from(["warning", "critical"]), SCALARS),
                        "hold": SCALARS,
                        "export": SCALARS,
                    },
                ),
                max_size=4,
            ),
        },
    )
)
def test_any_values_under_the_right_keys_give_a_config_or_a_config_error(structure: object) -> None:
    check(yaml.safe_dump(structure))


@each_input
@given(st.integers(1, 10000), st.integers(1, 10000), st.booleans())
def test_levels_are_an_error_exactly_where_warning_is_above_critical(
    warning: int,
    critical: int,
    share: bool,  # noqa: FBT001
) -> None:
    low, high = (f"{value / 10}%" if share else value for value in (warning, critical))
    found = errors(f"defaults: {{accept: {{warning: {low}, critical: {high}}}}}")
    assert len(found) == (1 if warning > critical else 0)
