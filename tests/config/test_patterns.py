"""Sets of globs, compared with a matcher that tries every way to take a glob apart."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.config.patterns import PatternSet, is_literal, literal_parts, pattern_set
from tests.config.matches import matches_glob

CHARACTERS = "ab*?[]!-^&~|\\\n"
GLOBS = st.lists(st.text(CHARACTERS, max_size=5), max_size=4)
NAMES = st.text(CHARACTERS, max_size=5)
MAX_SECONDS = 5.0

each_set = settings(deadline=None)


@each_set
@given(GLOBS, NAMES)
@example(["[a]"], "a")
@example(["?[a]"], "xa")
@example(["*["], "\n[")
def test_a_name_is_in_the_set_where_it_matches_one_of_the_globs(globs: list[str], name: str) -> None:
    assert PatternSet(globs).matches(name) == any(matches_glob(name, glob) for glob in globs)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("/run/app[1].sock", "/run/app[1].sock", "/run/app1.sock"),
        ("/run/[old] *.sock", "/run/[old] x.sock", "/run/d x.sock"),
        ("/run/app?1?*", "/run/app[1].sock", "/run/app1.sock"),
        ("*[!a]", "b[!a]", "b"),
        ("*[", "a[", "a"),
        ("*]", "a]", "a"),
        ("[[]*", "[[]", "["),
        ("*[a-c]", "[a-c]", "b"),
        ("?080", "8080", "[8]080"),
        (r"*\*", r"a\b", "ab"),
        ("a?b", "a\nb", "a\n\nb"),
        ("a*b", "a\n\nb", "a\n\nc"),
        ("*", "\n", None),
        ("?", "[", "[]"),
        ("Web-*", "Web-1", "web-1"),
        ("*.+(x)|{2}^$", "a.+(x)|{2}^$", "a+xx"),
    ],
)
def test_only_the_asterisk_and_the_question_mark_are_wildcards(glob: str, yes: str, no: str | None) -> None:
    assert PatternSet((glob,)).matches(yes)
    assert no is None or not PatternSet((glob,)).matches(no)


@each_set
@given(GLOBS, GLOBS, NAMES)
def test_a_set_that_covers_another_has_all_its_names(wide: list[str], narrow: list[str], name: str) -> None:
    if PatternSet(wide).covers(PatternSet(narrow)) and any(matches_glob(name, glob) for glob in narrow):
        assert any(matches_glob(name, glob) for glob in wide)


@each_set
@given(st.text(CHARACTERS, max_size=5), NAMES)
def test_a_literal_glob_matches_only_itself(glob: str, name: str) -> None:
    if is_literal(glob):
        assert matches_glob(name, glob) == (name == glob)
    else:
        assert {"*", "?"} & set(glob)


@each_set
@given(st.text(CHARACTERS, max_size=5), NAMES)
def test_a_matching_name_has_every_literal_part_of_the_glob(glob: str, name: str) -> None:
    first, *_, last = ["", *literal_parts(glob)] if is_literal(glob) else literal_parts(glob)
    if matches_glob(name, glob):
        assert name.startswith(first)
        assert name.endswith(last)
        assert all(part in name for part in literal_parts(glob))


def test_an_empty_set_has_no_names() -> None:
    assert not PatternSet(()).matches("")
    assert not PatternSet(()).matches("a")


def test_equal_globs_are_compiled_once() -> None:
    assert pattern_set(("web-*", "[a]*")) is pattern_set(("web-*", "[a]*"))


def test_many_wildcards_take_no_exponential_time() -> None:
    started = time.process_time()
    assert not PatternSet(("*a[" * 30 + "*b",)).matches("a[" * 100)
    assert time.process_time() - started < MAX_SECONDS
