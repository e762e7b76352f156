"""What `show --clients` prints below the row of a listener."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.cli.show import clients
from exporter.cli.terminal import Terminal

ROW: dict[str, Any] = {"accept_length": 4, "syn_recv": 1}
KNOWN: dict[str, Any] = {
    "waiting": 4,
    "syn_recv": 1,
    "unseen": 0,
    "addresses": [
        {"address": "192.0.2.7", "waiting": 3, "syn_recv": 0, "oldest_wait_seconds": 12.34},
        {"address": "192.0.2.9", "waiting": 1, "syn_recv": 0, "oldest_wait_seconds": 1.0},
        {"address": "2001:db8::1", "waiting": 0, "syn_recv": 1, "oldest_wait_seconds": None},
    ],
    "networks": [
        {
            "network": "192.0.2.0/24",
            "addresses": 2,
            "waiting": 4,
            "syn_recv": 0,
            "oldest_wait_seconds": 12.34,
        },
        {
            "network": "2001:db8::/64",
            "addresses": 1,
            "waiting": 0,
            "syn_recv": 1,
            "oldest_wait_seconds": None,
        },
    ],
    "omitted": {"addresses": 0, "networks": 0},
    "complete": True,
    "shared": False,
}
NONE = KNOWN | {"waiting": 0, "syn_recv": 0, "addresses": [], "networks": []}


def printed(found: dict[str, Any], **figures: int | None) -> list[str]:
    """The lines below the row."""
    row = ROW | figures | {"clients": found}
    lines = clients.lines(row)
    assert all(line.startswith("    ") for line in lines)
    return [line.removeprefix("    ") for line in lines]


def test_addresses_and_networks_of_several_addresses_are_a_table() -> None:
    assert printed(KNOWN) == [
        "4 waiting and 1 half-open connections; addresses: 3, in networks (/24, /64): 2",
        "CLIENT        WAITING  HALF-OPEN  OLDEST  ADDRESSES",
        "192.0.2.7           3          0   12.3s",
        "192.0.2.9           1          0    1.0s",
        "2001:db8::1         0          1       -",
        "192.0.2.0/24        4          0   12.3s          2",
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_lines_fit_into_the_terminal(width: int) -> None:
    long = "2001:0db8:85a3:1111:2222:8a2e:0370:7334"
    figures = {"waiting": 123_456, "syn_recv": 123_456, "oldest_wait_seconds": 12_345.6}
    found = KNOWN | {
        "waiting": 123_456,
        "syn_recv": 123_456,
        "unseen": 9,
        "complete": False,
        "shared": True,
        "addresses": [figures | {"address": long}],
        "networks": [figures | {"network": "2001:db8:85a3:1111::/64", "addresses": 123_456}],
        "omitted": {"addresses": 123_456, "networks": 123_456},
    }
    lines = clients.lines(ROW | {"clients": found}, Terminal(width))
    assert max(map(len, lines)) <= width
    assert (long in "".join(lines)) is (width >= 80)
    assert sum("12345.6s" in line for line in lines) == 2
    assert max(map(len, clients.lines(ROW | {"clients": {"error": "no " * 50}}, Terminal(width)))) <= width


def test_without_clients_the_table_is_as_it_was() -> None:
    assert clients.lines(ROW) == []


def test_what_is_left_out_is_said_and_counted_in_the_total() -> None:
    lines = printed(KNOWN | {"omitted": {"addresses": 40, "networks": 7}})
    assert lines[0].endswith("addresses: 43, in networks (/24, /64): 9")
    assert lines[-1] == "not listed: 40 more addresses and 7 more networks"
    assert printed(KNOWN | {"omitted": {"addresses": 2, "networks": 0}})[-1] == "not listed: 2 more addresses"
    lines = printed(KNOWN | {"omitted": {"addresses": 1, "networks": 1}})
    assert lines[-1] == "not listed: 1 more address and 1 more network"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"unseen": 9}, "9 more waited when the queue was sampled: accepted since, ended with RST"),
        ({"shared": True}, "other programs listen on this port too"),
        ({"complete": False}, "there are more: not all connections were read"),
    ],
)
def test_what_is_not_sure_is_said(more: dict[str, Any], words: str) -> None:
    assert printed(KNOWN | more)[-1].startswith(words)


def test_a_queue_whose_clients_cannot_be_seen_does_not_look_empty() -> None:
    (line,) = printed(NONE | {"unseen": 4})
    assert line.startswith("4 more waited")
    assert printed(NONE, accept_length=0) == ["no client is left of those that the sample counted"]
    assert printed({"error": "cannot ask: EPERM"}) == ["clients are not known: cannot ask: EPERM"]
    assert printed({"error": "a\x1b[2J"}) == ["clients are not known: a\\x1b[2J"]


def test_clients_that_no_sample_has_counted_are_there() -> None:
    """Where half-open connections could not be counted."""
    assert printed(KNOWN, accept_length=0, syn_recv=None)[0].startswith("4 waiting and 1 half-open")


@pytest.mark.parametrize("found", [NONE, {"error": "clients of a unix socket have no address"}])
@pytest.mark.parametrize("syn_recv", [0, None])
def test_below_an_empty_queue_there_is_nothing(found: dict[str, Any], syn_recv: int | None) -> None:
    assert printed(found, accept_length=0, syn_recv=syn_recv) == []


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "text",
        {},
        KNOWN | {"waiting": "\x1b[2J"},
        KNOWN | {"addresses": None},
        KNOWN | {"networks": [{}]},
        KNOWN | {"omitted": 5},
        KNOWN | {"unseen": "\x1b[2J"},
        {"error": 5},
        KNOWN | {"addresses": [KNOWN["addresses"][0] | {"oldest_wait_seconds": 10**400}]},
    ],
)
def test_an_answer_in_another_form_is_not_taken_for_no_clients(found: Any) -> None:
    assert printed(found) == ["clients are not known: the answer of the exporter has another form"]


def test_addresses_of_another_host_cannot_write_to_the_terminal() -> None:
    hostile = {**KNOWN["addresses"][0], "address": "a\x1b[2J\n"}
    assert "\x1b" not in "".join(printed(KNOWN | {"addresses": [hostile]}))
