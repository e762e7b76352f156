"""Which listeners are shown in which order, and what stands above them."""

from __future__ import annotations

from typing import Any

from exporter.cli.show.listener import ShownListener
from exporter.cli.top.rates import Rates
from exporter.cli.top.recent import Recent
from exporter.cli.top.view import Order, Reading, chosen_namespaces
from tests.cli.show.rows import row

ROWS = (
    row(port="443", process="nginx", state="full", accept_utilization_ratio=0.6),
    row(port="80", process="nginx", state="ok", accept_utilization_ratio=0.9),
    row(port="5432", process="postgres", netns="db", state="ok", protocol="tcp6"),
)


def reading(*rows: dict[str, Any], **values: object) -> Reading:
    document: dict[str, Any] = {"listeners": rows, "errors": [], "not_seen": [], "namespaces": []} | values
    return Reading.of(document, Rates())


def heading(*rows: dict[str, Any]) -> str:
    found = reading(*rows)
    return found.heading(found.listeners)


def ports(listeners: list[ShownListener]) -> list[str]:
    return [each.text("port") for each in listeners]


def test_heading_counts_what_is_wrong() -> None:
    assert heading(*ROWS) == "3 listeners, 1 full   overflows -, SYN cookies -"
    assert heading(row(state=None), row(state="critical")).startswith("2 listeners, 1 critical, 1 unknown ")
    assert heading(ROWS[1]).startswith("1 listener, all ok ")
    assert heading().startswith("0 listeners   ")
    found = reading(*ROWS)
    assert found.heading(found.listeners[1:]).startswith("2 of 3 listeners, all ok ")


def test_heading_has_rates() -> None:
    rates = Rates()
    for second, count in ((1.0, 0), (3.0, 5)):
        rates.note(second, [{"netns": "host", "listen_overflows_total": count, "syncookies_sent_total": 0}])
    document: dict[str, Any] = {"listeners": [], "errors": [], "not_seen": []}
    assert Reading.of(document, rates).heading(()).endswith("overflows 2.5/s, SYN cookies 0.0/s")


def test_rates_are_those_of_the_namespaces_that_are_asked_for() -> None:
    namespaces = [{"netns": "host"}, {"netns": "pod-1"}, {"netns": "pod-2"}]
    assert chosen_namespaces(namespaces, (("port", "80"),)) == namespaces
    assert chosen_namespaces(namespaces, (("netns", "pod-*"),)) == namespaces[1:]


def test_orders() -> None:
    found, recent = reading(*ROWS), Recent()
    recent.note(1.0, [ShownListener(ROWS[2] | {"accept_utilization_ratio": 1.0})])
    assert ports(found.chosen(Order.STATE, "", recent)) == ["443", "80", "5432"]
    assert ports(found.chosen(Order.NOW, "", recent)) == ["80", "443", "5432"]
    assert ports(found.chosen(Order.PEAK, "", recent)) == ["5432", "443", "80"]
    assert ports(found.chosen(Order.NAME, "", recent)) == ["5432", "80", "443"]


def test_every_order_follows_another() -> None:
    seen = [Order.STATE]
    while (following := seen[-1].next) is not Order.STATE:
        seen.append(following)
    assert seen == list(Order)


def test_filter_wants_every_word_in_any_cell() -> None:
    found = reading(*ROWS)
    for words, wanted in (
        ("nginx", ["443", "80"]),
        ("NGINX full", ["443"]),
        ("db", ["5432"]),
        ("tcp6", ["5432"]),
        (":80", ["80"]),
        ("nothing", []),
    ):
        assert ports(found.chosen(Order.STATE, words, Recent())) == wanted


def test_what_is_not_seen_is_told_or_else_errors() -> None:
    error = {"netns": "pod", "error": "gone"}
    unseen = {"what": "owners", "needs": "root"}
    assert reading(not_seen=[unseen], errors=[error]).not_seen == ("owners: root",)
    assert reading(errors=[error, error]).not_seen == ("pod: gone",)
