"""The parameters of a request."""

from __future__ import annotations

import pytest

from exporter.api.query import ListenerQuery, QueryError

LABELS = {"netns": "host", "protocol": "tcp", "address": "0.0.0.0", "port": "80", "process": "nginx"}


@pytest.mark.parametrize(
    ("query", "selected"),
    [
        ("", True),
        ("port=80", True),
        ("port=8", False),
        ("port=8*", True),
        ("process=ngin%3F&netns=host", True),
        ("process=ngin%3F&netns=web", False),
        ("process=", False),
        ("process=%5Bn%5Dginx", False),
        ("address=0.0.0.0&protocol=tcp", True),
    ],
)
def test_listeners_are_selected_by_patterns_of_their_labels(query: str, *, selected: bool) -> None:
    assert ListenerQuery.parse(query).selects(LABELS) is selected


@pytest.mark.parametrize(
    ("value", "seconds"), [("30s", 30.0), ("1.5m", 90.0), ("250ms", 0.25), ("2h", 7200.0), ("1d", 86400.0)]
)
def test_since_is_a_duration(value: str, seconds: float) -> None:
    assert ListenerQuery.parse(f"since={value}").seconds == seconds


@pytest.mark.parametrize(
    ("query", "members"), [("members=true", True), ("members=false", False), ("", False)]
)
def test_members_are_asked_for_by_a_boolean(query: str, *, members: bool) -> None:
    assert ListenerQuery.parse(query).members is members


def test_without_since_the_whole_window_is_asked_for() -> None:
    assert ListenerQuery.parse("port=80").seconds is None


def test_clients_are_asked_for_by_their_number() -> None:
    assert ListenerQuery.parse("port=80").clients is None
    assert ListenerQuery.parse("clients=100").clients == 100


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=10", "since: '10' is no duration above 0, such as 30s, 10m or 24h"),
        ("since=0s", "since: '0s' is no duration above 0, such as 30s, 10m or 24h"),
        ("since=-1s", "since: '-1s' is no duration"),
        (
            "ports=80",
            "'ports'; allowed are netns, protocol, address, port, process, members, clients and since",
        ),
        ("port=80&port=81", "port is there twice; once is allowed"),
        ("since=5s&since=1m", "since is there twice"),
        ("members=1", "members: '1' is neither true nor false"),
        ("clients=0", "clients: '0' is no whole number from 1 to 100"),
        ("clients=101", "clients: '101' is no"),
        ("clients=1000000000000", "is no whole number"),
        ("clients=-1", "is no whole number"),
        ("clients=", "is no whole number"),
        ("clients=%C2%B2", "is no whole number"),
        ("port", "cannot read the parameters"),
        ("&".join(["port=1"] * 40), "cannot read the parameters"),
    ],
)
def test_a_wrong_parameter_is_told(query: str, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        ListenerQuery.parse(query)
    assert words in str(caught.value)
