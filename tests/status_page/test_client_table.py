"""Who waits, as the page about a listener shows it."""

from __future__ import annotations

from typing import Any

from exporter.api.client_counts import ClientCounts
from exporter.status_page.client_table import client_section
from tests.api.test_client_counts import counted
from tests.status_page.test_markup import Parsed

ROW = {
    "netns": "host",
    "protocol": "tcp",
    "has_syn_queue": True,
    "address": "::",
    "port": "443",
    "process": "<nginx>",
    "accept_length": 4,
    "syn_recv": 3,
}


def clients(counts: ClientCounts, number: int = 10, length: int = 0, **changes: object) -> dict[str, Any]:
    return counts.document(number, length) | {"complete": True, **changes}


def shown(found: dict[str, Any] | None, *, asked: bool = True, **changes: object) -> Parsed:
    return Parsed(client_section({**ROW, **changes}, found, asked=asked))


def hrefs(parsed: Parsed) -> list[str | None]:
    return [attributes["href"] for tag, attributes in parsed.tags if tag == "a"]


def test_without_being_asked_for_there_is_a_link_alone() -> None:
    parsed = shown(None, asked=False)
    assert parsed.text == "Who waits?"
    labels = "netns=host&protocol=tcp&address=%3A%3A&port=443&process=%3Cnginx%3E"
    assert hrefs(parsed) == [f"./listener?{labels}&clients=10"]
    assert hrefs(shown(clients(ClientCounts()))) == [f"./listener?{labels}"]


def test_a_unix_socket_has_no_link_for_its_clients_have_no_address() -> None:
    assert shown(None, asked=False, protocol="unix", has_syn_queue=False).text == ""


def test_addresses_are_before_networks_of_several_and_each_has_its_figures() -> None:
    waits = [("192.0.2.7", 4.65), ("192.0.2.7", 1.0), ("192.0.2.9", 0.25)]
    parsed = shown(clients(counted(*waits, syn_recv={"2001:db8::1": 3})))
    table = parsed.text.partition("Addresses")[2]
    assert "3 waiting and 3 half-open connections of 3 addresses." in parsed.text
    assert table.startswith("2001:db8::103192.0.2.7204.7 s192.0.2.910250 ms192.0.2.0/24304.7 s2")
    assert "2001:db8::/64" not in table


def test_what_is_left_out_is_said() -> None:
    waits = [(f"192.0.{third}.{last}", 1.0) for third in range(3) for last in range(3)]
    counts = counted(*waits)
    counts.share()
    text = shown(clients(counts, 2, length=12, complete=False)).text
    for part in (
        "Not listed: 7 addresses and 1 network (/24, /64) more.",
        "3 more waited when the queue was sampled",
        "Other programs listen on this port too",
        "not all connections were read",
    ):
        assert part in text


def test_where_nothing_is_left_out_nothing_is_said_of_it() -> None:
    text = shown(clients(counted(("192.0.2.7", 1.0)), length=1)).text
    for part in ("Not listed", "more waited", "Other programs", "There are more"):
        assert part not in text


def test_no_client_and_clients_that_are_not_known_are_told_apart() -> None:
    nobody = clients(ClientCounts())
    assert "Nobody: no connection waits" in shown(nobody, accept_length=0, syn_recv=0).text
    assert "No connection was found of those that the sample counted." in shown(nobody).text
    assert "Nobody" not in shown(nobody, accept_length=0, syn_recv=None).text
    assert "Not known: <EPERM>." in shown({"error": "<EPERM>"}).text
    assert "Not looked for this time" in shown(None).text
