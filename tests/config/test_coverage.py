"""Which listeners matches select, compared with what they select of a small set of listeners."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from exporter.config.coverage import Coverage, contradiction
from exporter.config.model import Match
from tests.config.matches import MATCHES, selected

each_match = settings(deadline=None)


def covers(earlier: Match, later: Match) -> bool:
    return Coverage.of(earlier).covers(Coverage.of(later))


@each_match
@given(MATCHES, MATCHES)
def test_a_match_that_covers_another_selects_all_its_listeners(earlier: Match, later: Match) -> None:
    if covers(earlier, later):
        assert selected(later) <= selected(earlier)


@each_match
@given(MATCHES)
def test_a_match_covers_itself_and_an_empty_one_covers_all(match: Match) -> None:
    assert covers(match, match)
    assert covers(Match(), match)


@each_match
@given(MATCHES)
def test_a_match_contradicts_itself_exactly_where_it_selects_no_listener(match: Match) -> None:
    assert (contradiction(match) is None) == bool(selected(match))


@each_match
@given(MATCHES)
def test_a_match_with_one_more_key_is_covered(wider: Match) -> None:
    assert wider.ports or covers(wider, replace(wider, ports=((5, 6),)))
    assert wider.netns or covers(wider, replace(wider, netns=("host",)))
    assert wider.owners or covers(wider, replace(wider, owners={"pod": ("/run/*",)}))
    assert wider.protocols or covers(wider, replace(wider, protocols=("unix",)))


def test_a_match_in_one_namespace_does_not_cover_another() -> None:
    assert not covers(Match(netns=("host",)), Match(netns=("web",)))
    assert not covers(Match(netns=("host",)), Match())
    assert covers(Match(netns=("web-*", "host")), Match(netns=("web-1",)))
