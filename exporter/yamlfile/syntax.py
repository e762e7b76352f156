"""PyYAML's syntax errors in the words of the person who wrote the file."""

from __future__ import annotations

import re

from yaml.error import Mark, MarkedYAMLError

from exporter.yamlfile.errors import printable

# Patterns for PyYAML's wording (scanner.py, parser.py, composer.py) and the text that replaces it. The first
# pattern found in "context: problem" applies; {0} is its first group.
_EXPLANATIONS = (
    (r"character '\\t' that cannot start", "a tab stands where spaces belong; indent with spaces"),
    (r"character '%' that cannot start", "a value cannot begin with %; a percentage is written 50%"),
    (
        r"character (['\"].+['\"]) that cannot start",
        "a value cannot begin with {0}; put the whole text in double quotes",
    ),
    (
        r"scanning an alias",
        'a value that begins with * is an alias in YAML; put a pattern in double quotes, such as "*.sock"',
    ),
    (r"scanning an anchor", "a value that begins with & is an anchor in YAML; put the text in double quotes"),
    (
        r"mapping values are not allowed",
        "a colon stands where no value can follow; check the indentation here, and quote text with a colon",
    ),
    (r"could not find expected ':'", "the colon after a key is missing; write `key: value`"),
    (
        r"scanning a (?:quoted|double-quoted|single-quoted) scalar: found unexpected",
        "the text in quotes is never closed; add the closing quote",
    ),
    (
        r"unknown escape character",
        "an unknown escape stands after a backslash; use single quotes to take the backslash as it is",
    ),
    (
        r"expected escape sequence of",
        "the escape after the backslash is too short; use single quotes to take the backslash as it is",
    ),
    (r"expected ',' or '\]'", "the list is not closed or lacks a comma; write [one, two]"),
    (r"expected ',' or '\}'", "the mapping is not closed or lacks a comma; write {{one: 1, two: 2}}"),
    (
        r"node content, but found '<stream end>'",
        "the file ends in the middle of a value; close the bracket or brace",
    ),
    (
        r"node content, but found ':'",
        'a colon stands where a value belongs; put an IPv6 address in double quotes, such as "::1"',
    ),
    (r"node content, but found '(.)'", "{0} stands where a value belongs; write the value, or take {0} out"),
    (
        r"block (?:mapping|collection|sequence): expected <block end>",
        "this does not fit what is above; check indentation, brackets, and what follows a closing quote",
    ),
    (
        r"expected '<document start>'",
        "this line does not fit those above; let every key of the file begin in column 1",
    ),
    (
        r"found another document",
        "a second document begins here; a configuration is one document, so take the --- out",
    ),
    (r"out of range", "an escape or a number here is larger than YAML can hold; take it out"),
    (r"sequence entries", "a list item stands where none can; begin it on a line of its own"),
    (r"levels of nesting", "too many levels of lists and mappings; a configuration needs five at most"),
    (r"undefined tag handle", "tags (words that begin with !) are not allowed; write the value alone"),
    (r"incompatible YAML document", "the %YAML line asks for another YAML; take the line out"),
)


def explanation(error: MarkedYAMLError) -> str:
    """Return one sentence for a syntax error; PyYAML's own words where no pattern applies."""
    wording = ": ".join(part for part in (error.context, error.problem) if part)
    return f"not valid YAML: {_replaced(wording)}{_beginning(error)}"


def error_mark(error: MarkedYAMLError) -> Mark | None:
    """Return where the user has to change the file, which PyYAML may notice only some lines further down."""
    context, problem = error.context or "", error.problem or ""
    if "simple key" in context or ("quoted scalar" in context and "unexpected" in problem):
        return error.context_mark
    return error.problem_mark


def _replaced(wording: str) -> str:
    for pattern, text in _EXPLANATIONS:
        found = re.search(pattern, wording)
        if found:
            return text.format(*(printable(group) for group in found.groups()))
    return printable(wording, max_length=200)


def _beginning(error: MarkedYAMLError) -> str:
    """Return the line of the bracket or brace that is never closed, where that is another line."""
    begins, noticed = error.context_mark, error.problem_mark
    if not (begins and noticed) or begins.line == noticed.line or "flow" not in (error.context or ""):
        return ""
    return f" (it begins in line {begins.line + 1})"
