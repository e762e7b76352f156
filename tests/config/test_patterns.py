"""Sets of globs, compared with fnmatch."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.patterns import PatternSet, is_literal

GLOBS = st.lists(st.text("ab*?[]!-\\\n", max_size=5), max_size=4)
NAMES = st.text("ab*?[]!-\\\n", max_size=5)

each_set = settings(deadline=None)


@each_set
@given(GLOBS, NAMES)
def test_a_name_is_in_the_set_where_it_matches_a_glob_or_is_equal_to_one(globs: list[str], name: str) -> None:
    expected = name in globs or any(fnmatchcase(name, glob) for glob in globs)
    assert PatternSet(globs).matches(name) == expected


@each_set
@given(GLOBS, GLOBS, NAMES)
def test_a_set_that_covers_another_has_all_its_names(wide: list[str], narrow: list[str], name: str) -> None:
    if PatternSet(wide).covers(PatternSet(narrow)) and any(fnmatchcase(name, glob) for glob in narrow):
        assert any(fnmatchcase(name, glob) for glob in wide)


@each_set
@given(st.text("ab*?[]!", max_size=5), NAMES)
def test_a_literal_glob_matches_only_itself(glob: str, name: str) -> None:
    if is_literal(glob):
        assert fnmatchcase(name, glob) == (name == glob)


def test_an_empty_set_has_no_names() -> None:
    assert not PatternSet(()).matches("")
    assert not PatternSet(()).matches("a")
