"""How a listener is called, and the link to the page about it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.query import LABELS
from exporter.status_page.details_query import DetailsQuery
from exporter.status_page.listener_name import details_address, endpoint, link, process
from tests.status_page.test_markup import Parsed

NGINX = {"netns": "host", "protocol": "tcp", "address": "10.0.0.1", "port": "80", "process": "nginx"}


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("10.0.0.1", "80", "10.0.0.1:80"),
        ("::1", "80", "[::1]:80"),
        ("fe80::1%eth0", "80", "[fe80::1%eth0]:80"),
        ("/run/a.sock", "", "/run/a.sock"),
        ("/run/a:b", "", "/run/a:b"),
    ],
)
def test_endpoint(address: str, port: str, expected: str) -> None:
    assert endpoint({"address": address, "port": port}) == expected


def test_the_namespace_is_told_where_it_is_not_that_of_the_host() -> None:
    assert process(NGINX) == "<bdi>nginx</bdi>"
    assert Parsed(process({**NGINX, "netns": "<shop>"}) or "").text == "nginx in <shop>"
    assert process({**NGINX, "process": ""}) is None


@given(st.fixed_dictionaries({name: st.text(st.characters(codec="utf-8")) for name in LABELS}))
def test_any_names_come_back_from_their_link(labels: dict[str, str]) -> None:
    parsed = Parsed(link(labels))
    assert [tag for tag, _ in parsed.tags] == ["a", "bdi"]
    address = urlsplit(parsed.tags[0][1]["href"] or "")
    # Relative, so that it works below any path of a proxy.
    assert (address.scheme, address.netloc, address.path) == ("", "", "./listener")
    assert DetailsQuery.parse(address.query) == DetailsQuery(labels)
    with_clients = urlsplit(details_address(labels, clients=7)).query
    assert DetailsQuery.parse(with_clients) == DetailsQuery(labels, clients=7)
