"""Globs, compared with a matcher that follows their definition step by step."""

from __future__ import annotations

from exporter.config.patterns import PatternSet, is_literal, literal_parts
from tests.fuzz.target import Target, parts

# The matcher of definition takes the product of the lengths.
_MAX_CHARACTERS = 200


def run(data: bytes) -> None:
    """Match a name with up to three globs."""
    name, *globs = (part.decode("utf-8", "replace")[:_MAX_CHARACTERS] for part in parts(data, 4))
    patterns = PatternSet(globs)
    assert patterns.matches(name) == any(_matches(name, glob) for glob in globs)
    assert patterns.covers(PatternSet(globs[:1]))
    for glob in globs:
        assert is_literal(glob) == (literal_parts(glob) == [glob])


def _matches(name: str, glob: str) -> bool:
    """Tell whether a glob matches, by which of its beginnings match each beginning of the name."""
    reached = {0}
    for character in glob:
        if character == "*":
            reached = set(range(min(reached, default=len(name) + 1), len(name) + 1))
        else:
            reached = {
                at + 1 for at in reached if at < len(name) and (character == "?" or name[at] == character)
            }
        if not reached:
            return False
    return len(name) in reached


TARGET = Target(
    run, max_bytes=1024, words=(b"*", b"?", b"[", b"]", b"a*" * 50, b"*?" * 30, b"a" * 150, b"\n")
)
