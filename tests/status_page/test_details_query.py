"""What a request for the page about a listener asks for."""

from __future__ import annotations

import pytest

from exporter.status_page.details_query import DetailsQuery, DetailsQueryError

LABELS = "netns=host&protocol=tcp&address=10.0.0.1&port=80&process="


def test_clients_are_asked_for_only_by_their_parameter() -> None:
    assert DetailsQuery.parse(LABELS).clients is None
    assert DetailsQuery.parse(f"{LABELS}&clients=10").clients == 10
    assert DetailsQuery.parse(f"{LABELS}&clients=10").labels["port"] == "80"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", "the parameter 'netns' is missing; links on the page at / have it"),
        ("netns=host&protocol=tcp", "the parameter 'address' is missing; links on the page at / have it"),
        ("pid=1", "unknown parameter 'pid'; allowed are netns, protocol, address, port, process, clients"),
        ("&&", "cannot read the parameters: bad query field: ''"),
        ("netns=1&" * 9, "cannot read the parameters: Max number of fields exceeded"),
        (f"{LABELS}&clients=0", "clients: '0' is no whole number from 1 to 100"),
        (f"{LABELS}&clients=101", "clients: '101' is no whole number from 1 to 100"),
        (f"{LABELS}&clients=", "clients: '' is no whole number from 1 to 100"),
    ],
)
def test_a_wrong_query_gets_one_line(query: str, error: str) -> None:
    with pytest.raises(DetailsQueryError) as caught:
        DetailsQuery.parse(query)
    assert str(caught.value) == error
