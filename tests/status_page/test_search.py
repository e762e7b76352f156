"""The search and the order of the page."""

from __future__ import annotations

import pytest

from exporter.status_page.search import Search, SearchError


def test_what_is_asked_for() -> None:
    assert Search.parse("") == Search()
    search = Search.parse("search=+PHP+%22fpm%22+&sort=peak")
    assert (search.words, search.order) == (["php", '"fpm"'], "peak")


def test_a_link_keeps_the_search() -> None:
    search = Search.parse("search=a%26b&sort=peak")
    assert search.link("name") == "./?search=a%26b&sort=name"
    assert search.link("worst") == "./?search=a%26b"
    assert Search().link("worst") == "./"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("sort=age", "sort: 'age' is none of worst, now, peak, name, process"),
        ("search=" + "a" * 101, "search: has 101 characters; at most 100 are allowed"),
        ("port=80", "unknown parameter 'port'; allowed are search and sort"),
        ("=&=", "unknown parameter ''; allowed are search and sort"),
        ("a", "cannot read the parameters: bad query field: 'a'"),
    ],
)
def test_a_wrong_parameter_gets_one_line(query: str, error: str) -> None:
    with pytest.raises(SearchError) as caught:
        Search.parse(query)
    assert str(caught.value) == error
