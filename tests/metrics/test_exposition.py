"""The pieces of the text formats, compared with prometheus_client byte for byte."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from exporter.metrics.exposition import EOF, families_text, header, label_set, number, whole_number

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
AWKWARD = st.text(st.sampled_from('\\"\n\r\t{},= äé漢\U0001f600\0\x7f\u2028'), max_size=12)
# Names that begin with two underscores are Prometheus' own.
NAMES = st.from_regex(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
LABELS = st.dictionaries(NAMES, TEXT | AWKWARD, min_size=1, max_size=5)
# Equal values share their text, and -0.0 equals 0.0; no queue is minus zero.
FLOATS = st.floats().filter(lambda value: value != 0 or math.copysign(1, value) > 0)
VALUES = (
    FLOATS | st.integers(-(2**70), 2**70) | st.booleans() | st.integers(0, 50).map(lambda power: 10**power)
)
KINDS = st.sampled_from(["gauge", "counter", "histogram"])
SAMPLES = st.lists(st.tuples(LABELS, VALUES), max_size=6)


class Single(Collector):
    """A registry of one family."""

    def __init__(self, family: Family) -> None:
        self.family = family

    def collect(self) -> list[Family]:
        """The family."""
        return [self.family]


def reference(family: Family, *, openmetrics: bool) -> bytes:
    """What prometheus_client writes."""
    if openmetrics:
        written: bytes = generate_openmetrics(Single(family))
        return written
    return generate_latest(Single(family))


@pytest.mark.parametrize("openmetrics", [False, True])
@given(kind=KINDS, help_text=TEXT | AWKWARD, samples=SAMPLES)
@example(kind="gauge", help_text="", samples=[({"le": "+Inf"}, float("nan")), ({"a": ""}, float("-inf"))])
def test_family_is_written_as_prometheus_client_does(
    kind: str, help_text: str, samples: list[tuple[dict[str, str], float]], *, openmetrics: bool
) -> None:
    """Whatever the labels and values: escaping, order of labels, and numbers as Go writes them."""
    family = Family("demo_things", help_text, kind)
    name = {"gauge": "demo_things", "counter": "demo_things_total", "histogram": "demo_things_bucket"}[kind]
    lines = [header("demo_things", kind, help_text, openmetrics=openmetrics).decode()]
    for labels, value in samples:
        family.add_sample(name, labels, value)
        lines.append(f"{name}{{{label_set(labels)}}} {number(value)}\n")
    ours = "".join(lines).encode() + (EOF if openmetrics else b"")
    assert ours == reference(family, openmetrics=openmetrics)


@pytest.mark.parametrize("openmetrics", [False, True])
@given(kind=KINDS, help_text=TEXT | AWKWARD, samples=SAMPLES)
def test_whole_families_go_through_prometheus_client(
    kind: str, help_text: str, samples: list[tuple[dict[str, str], float]], *, openmetrics: bool
) -> None:
    """Without its closing line, which stands once at the end of a page."""
    family = Family("demo_things", help_text, kind)
    for labels, value in samples:
        family.add_sample("demo_things", labels, value)
    ours = families_text([family], openmetrics=openmetrics) + (EOF if openmetrics else b"")
    assert ours == reference(family, openmetrics=openmetrics)


@given(st.integers(0, 2**70) | st.integers(0, 22).map(lambda power: 10**power))
@example(999_999)
@example(10**15 - 1)
@example(10**15)
@example(10**10 + 10)
def test_whole_number_is_written_as_every_other(value: int) -> None:
    # prometheus_client before 0.26 writes exponents of two digits as three, as in 1e+010.
    ours, theirs = (
        re.sub(r"e\+0(\d\d)$", r"e+\1", text) for text in (whole_number(value).decode(), number(value))
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0"),
        (1, "1.0"),
        (True, "1.0"),
        (0.999, "0.999"),
        (1e-9, "1e-09"),
        (1_000_000, "1e+06"),
        (123_456_789, "1.23456789e+08"),
        (2**64, "1.8446744073709552e+19"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_number_is_written_as_go_does(value: float, text: str) -> None:
    assert number(value) == text


def test_labels_stand_in_the_order_of_their_names() -> None:
    assert label_set({"port": "80", "address": "::", "netns": 'a"b\\c\nd'}) == (
        r'address="::",netns="a\"b\\c\nd",port="80"'
    )
