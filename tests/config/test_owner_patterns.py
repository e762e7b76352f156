"""Patterns that no owner can match are errors that say what to write."""

from __future__ import annotations

import pytest

from exporter.config import parse
from exporter.yamlfile.errors import ConfigError

ID = "0123456789abcdef" * 4


def error(key: str, pattern: str) -> str:
    """Return the error of a rule with this pattern, without its place; empty where there is none."""
    try:
        parse(f"rules: [{{name: r, match: {{{key}: '{pattern}'}}}}]", "c.yaml")
    except ConfigError as wrong:
        return str(wrong).partition(f"match.{key}: ")[2]
    return ""


@pytest.mark.parametrize(
    ("key", "pattern", "reason", "advice"),
    [
        (
            *("process", "/usr/sbin/amavisd*", "no path, and titles with one have 15 bytes"),
            'write "amavisd*", or "/usr/sbin/amavi" where that is the title',
        ),
        (
            "process",
            "/usr/local/sbin/",
            "names of programs have no path",
            '"/usr/local/sbin" where that is the title',
        ),
        ("process", "x" * 65, "names of programs have 64 bytes at most", "write its beginning and *"),
        ("process", "gunicorn: master [shop]", "cut at a colon and a blank", 'write "gunicorn"'),
        ("process", "*: background writer", "cut at a colon and a blank", 'write "*"'),
        ("unit", "nginx", "names of units end in one of .service, .socket", '"nginx.service" or "nginx.*"'),
        ("process", r"a\b*", r"names have \x5c for a backslash", r"write 'a\x5cb*'"),
        ("process", r"\xE9", r"names have \x5c for a backslash", r"write '\x5cxE9'"),
        ("netns", "/run/netns/blue", "names of namespaces begin with no slash", 'write "blue"'),
        ("netns", "net:[4026531840]", "known by the number alone", 'write "4026531840"'),
        ("container", "/web", "names of containers begin with no slash", 'write "web"'),
        ("container", ID, "by 12 digits of its ID where it has none", 'its name, or "0123456789ab"'),
        ("pod", "prod/web-0", "names of pods have no namespace in them", '"web-0", and namespace "prod"'),
        ("pod", "Web-0", "names in Kubernetes have lower-case letters", 'write "web-0"'),
        ("namespace", "web_[01]", "- and . only, and no _", "write a name as kubectl shows it"),
    ],
)
def test_a_pattern_that_can_match_nothing_is_an_error(
    key: str, pattern: str, reason: str, advice: str
) -> None:
    message = error(key, pattern)
    assert " can match nothing: " in message
    assert reason in message
    assert message.endswith(advice)


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        *(
            ("process", name)
            for name in ("victoria-metrics-prod", "MainThread", "nginx: *", "x" * 64, "x" * 65 + "*")
        ),
        *(("process", name) for name in ("/usr/sbin/amavi", "/usr/sbin/amavi*", "/usr/*/?*", "*/")),
        *(
            ("unit", name)
            for name in ("a.service", "a.socket", "*", "web*", "a.*", "a.s?rvice", "a.serv*", "*.scope")
        ),
        *(("process", name) for name in (r"a\x5cb", r"a\xe9", r"a\*", r"a\x?9", r"a\x5*")),
        ("unit", r"dev-a\x2db.service"),
        *(("container", name) for name in ("web", ID[:12], "a/b", f"{ID[:14]}*", "ABC")),
        *(("pod", name) for name in ("web-*", "web-?.sub", "*")),
        ("namespace", "kube-system"),
        ("netns", "Any/Thing [1]"),
    ],
)
def test_a_pattern_that_may_match_is_right(key: str, pattern: str) -> None:
    assert error(key, pattern) == ""


@pytest.mark.parametrize("pattern", ["web.slice", "a.service.d", "*.timer", "a?"])
def test_units_of_no_other_kind_have_sockets(pattern: str) -> None:
    """A `?` is one character, which may be the last of a suffix."""
    assert bool(error("unit", pattern)) is not pattern.endswith("?")
