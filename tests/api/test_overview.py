"""What the page for people shows of all listeners."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.api.overview import ORDERS, SPANS, Overview
from exporter.kernel.errors import KernelError
from tests.listeners.sockets import endpoint, tcp
from tests.sampling.simulation import Simulation
from tests.status_page.shown_host import busy, quiet


def document(made: Simulation, *words: str, order: str = "worst", max_rows: int = 100) -> dict[str, Any]:
    return Overview(made.sampler, made.clock.clock(), max_rows).document(words, order)


def spans(made: Simulation, word: str) -> list[float | None]:
    """The ratios of the only listener that has a word."""
    (row,) = document(made, word)["listeners"]
    return [None if ratio is None else round(ratio, 3) for ratio in row["spans"]]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [each["port"] or each["address"] for each in found]


def test_the_worst_come_first_and_a_spike_that_is_over_before_what_was_always_empty() -> None:
    found = document(busy())
    assert names(found["listeners"])[:5] == ["80", "443", "/run/unreadable.sock", "8080", "/run/app.sock"]
    assert names(found["exceeded"]) == ["80", "443"]
    assert found["counts"] == {"full": 1, "warning": 1, "unknown": 1, "ok": 17}
    assert (found["ready"], found["errors"]) == (True, [])


def test_a_spike_of_one_sample_is_in_the_spans_and_is_the_peak() -> None:
    made = busy()
    (row,) = [row for row in document(made)["listeners"] if row["port"] == "8080"]
    assert (row["accept_length"], row["peak_length"]) == (0, 70)
    assert row["peak_ratio"] == pytest.approx(0.7)
    assert len(row["spans"]) == SPANS
    # It may lie on the border of two of them.
    assert max(ratio for ratio in row["spans"] if ratio is not None) == row["peak_ratio"]
    assert sum(1 for ratio in row["spans"] if ratio) <= 2
    # It was seen first 45 seconds ago.
    assert row["spans"][: SPANS - 10] == [None] * (SPANS - 10)
    assert row["spans"][-7:] == [0.0] * 7


def test_what_cannot_be_read_has_no_peak_and_no_span() -> None:
    (row,) = [row for row in document(busy())["listeners"] if row["address"] == "/run/unreadable.sock"]
    assert (row["state"], row["peak_length"], row["peak_ratio"]) == (None, None, None)
    assert row["spans"] == [None] * SPANS


def test_without_the_recorder_there_is_no_peak() -> None:
    found = document(busy("recorder: {enabled: false}"))
    assert found["recorder"]["enabled"] is False
    assert {(each["peak_ratio"], each["spans"]) for each in found["listeners"]} == {(None, None)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["10.0.0.1:80"], ["80", "8080"]),
        (["[::]:443"], ["443"]),
        (["nginx.service"], ["80"]),
        (["10.0.0.1", "nginx"], ["80"]),
        (["nginx", "app.sock"], []),
        (["tcp"], ["80", "443", "8080"]),
    ],
)
def test_a_search_finds_names_addresses_and_facts_about_owners(words: list[str], expected: list[str]) -> None:
    found = document(busy(), *words)
    assert (names(found["listeners"]), found["found"]) == (expected, len(expected))
    # What is wrong is told, whatever is looked for.
    assert names(found["exceeded"]) == ["80", "443"]


def test_only_listeners_with_a_syn_queue_are_shown_with_one() -> None:
    found = {each["protocol"]: each["has_syn_queue"] for each in document(busy())["listeners"]}
    assert found == {"tcp": True, "unix": False}


def test_every_order() -> None:
    found = {order: names(document(busy(), "tcp", order=order)["listeners"]) for order in ORDERS}
    assert found == {
        "worst": ["80", "443", "8080"],
        "now": ["80", "443", "8080"],
        "peak": ["80", "8080", "443"],
        "name": ["80", "8080", "443"],
        "process": ["8080", "443", "80"],
    }


def test_no_more_rows_than_allowed() -> None:
    made = quiet()
    made.kernel.tcp.open(*(tcp(10 + port, "10.0.0.2", port) for port in range(1, 400)), limit=9)
    made.run_for(2.0)
    found = document(made, max_rows=50)
    assert (len(found["listeners"]), found["found"]) == (50, 401)
    for port in range(1, 400):
        made.kernel.tcp.change(10 + port, length=10)
    made.run_for(2.0)
    found = document(made, max_rows=50)
    assert (len(found["exceeded"]), found["counts"]["full"]) == (12, 399)


def test_a_source_that_fails_is_an_error_and_its_listeners_are_gone() -> None:
    made = quiet()
    made.kernel.tcp.error = KernelError("cannot ask", "EPERM")
    made.run_for(1.0)
    found = document(made)
    assert names(found["listeners"]) == ["/run/app.sock"]
    (error,) = found["errors"]
    assert (error["netns"], error["source"], error["error"]) == ("host", "inet", "cannot ask: EPERM")
    assert found["ready"] is True


def test_where_the_sampling_thread_hangs_everything_is_an_error() -> None:
    """No source has failed; each has only stopped answering."""
    made = quiet()
    made.clock.now += 6.0
    found = document(made)
    assert (found["ready"], found["listeners"], found["counts"]) == (False, [], {})
    assert ("inet", "the newest sample is older than 5 s") in [
        (each["source"], each["error"]) for each in found["errors"]
    ]


def test_the_peak_is_of_ten_minutes_though_more_is_kept() -> None:
    made = quiet("recorder: {window: 1h}")
    made.kernel.tcp.change(1, length=8)
    made.tick()
    made.kernel.tcp.change(1, length=0)
    made.run_for(30.0)
    assert document(made, "tcp")["listeners"][0]["peak_length"] == 8
    made.tick(130, 4.9)
    assert document(made, "tcp")["listeners"][0]["peak_length"] == 0


def test_what_is_older_than_the_recorder_keeps_is_not_known() -> None:
    """Not empty: there may have been a spike."""
    made = quiet("recorder: {window: 1m}")
    made.kernel.tcp.change(1, length=8)
    made.tick()
    made.kernel.tcp.change(1, length=0)
    made.run_for(90.0)
    for row in document(made)["listeners"]:
        assert row["spans"] == [None] * (SPANS - 12) + [0.0] * 12


@pytest.mark.parametrize("before", ["recorder: {enabled: false}", "recorder: {window: 1m}"])
def test_what_was_not_recorded_before_a_reload_is_not_known(before: str) -> None:
    made = quiet(before)
    made.kernel.tcp.change(1, length=8)
    made.tick()
    made.kernel.tcp.change(1, length=0)
    made.run_for(200.0)
    made.configure("{}")
    made.run_for(30.0)
    recorded = 6 if "enabled" in before else 18
    for row in document(made)["listeners"]:
        assert row["spans"][: SPANS - recorded - 1] == [None] * (SPANS - recorded - 1)
        assert row["spans"][1 - recorded :] == [0.0] * (recorded - 1)


def test_the_time_in_which_a_source_failed_is_not_known() -> None:
    made = quiet()
    made.run_for(300.0)
    made.kernel.tcp.change(1, length=8)
    made.run_for(60.0)
    made.kernel.tcp.error = KernelError("refused", "test")
    made.run_for(120.0)
    made.kernel.tcp.error = None
    made.run_for(60.0)
    full, empty = spans(made, "tcp"), spans(made, "unix")
    assert full[-11:] == [0.8] * 11
    assert full[-35:-13] == [None] * 22
    assert full[-46:-37] == [0.8] * 9
    assert None not in empty[-80:]


@pytest.mark.parametrize("length", [0, 5])
def test_what_was_before_the_recorder_was_switched_on_is_not_known(length: int) -> None:
    made = quiet("recorder: {enabled: false}")
    made.kernel.tcp.change(1, length=length)
    made.run_for(60.0)
    made.configure("{}")
    made.tick()
    made.kernel.tcp.change(1, length=6)
    made.run_for(20.0)
    assert spans(made, "tcp")[-3:] == [0.6] * 3
    assert spans(made, "tcp")[:-5] == [None] * (SPANS - 5)


def test_a_folded_listener_has_a_peak() -> None:
    made = Simulation("rules: [{name: all, match: {port: 80-90}, fold: true}]")
    for cookie in (1, 2):
        made.kernel.tcp.open(tcp(cookie, "10.0.0.1", 80 + cookie), length=0, limit=9)
    made.run_for(3.0)
    made.kernel.tcp.change(2, length=10)
    made.tick()
    (row,) = document(made)["listeners"]
    assert (row["port"], row["state"], row["peak_length"]) == ("*", "full", 10)
    assert (row["peak_ratio"], row["spans"][-1]) == (1.0, 1.0)
    made.kernel.tcp.change(2, length=0)
    made.run_for(30.0)
    (row,) = document(made)["listeners"]
    assert (row["state"], row["peak_ratio"], row["spans"][-1]) == ("ok", 1.0, 0.0)


def test_half_open_connections_are_in_a_row() -> None:
    made = quiet()
    made.kernel.syn_recv_dump.counts = {endpoint("10.0.0.1", 80): 3}
    made.run_for(4.0)
    (row,) = document(made, "tcp")["listeners"]
    assert (row["syn_recv"], row["syn_recv_limit"]) == (3, 10)
