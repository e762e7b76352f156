"""What `history` prints of a document."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.cli import history
from exporter.cli.flags import parse
from exporter.cli.history_flags import HistoryFlags
from exporter.errors import RunError, UsageError
from tests.cli.json_server import serving

END = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC).timestamp()
ENTRY = {
    "netns": "host",
    "protocol": "tcp",
    "address": "::",
    "port": "80",
    "process": "nginx",
    "queue": "accept",
    "limit": 15,
    "peak_length": 16,
    "peak_ratio": 1.0,
    "changes": [
        [END - 400.0, 0, 0.0],
        [END - 300.0, 16, 1.0],
        [END - 299.94, 0, 0.0],
        [END - 10.0, 9, 0.5625],
        [END - 9.0, 12, 0.75],
        [END - 8.0, 1, 0.0625],
    ],
}
DOCUMENT: dict[str, Any] = {
    "time": END,
    "since_seconds": 600.0,
    "matching": 1,
    "enabled": True,
    "listeners": [ENTRY],
    "episodes": [],
    "omitted": 0,
    "dropped_changes": 0,
}


def printed(capsys: pytest.CaptureFixture[str], document: dict[str, Any]) -> list[str]:
    with serving(document) as server:
        assert history.history(HistoryFlags(server.url, None, None, json=False)) == 0
    return capsys.readouterr().out.splitlines()


def clock(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]


def test_a_listener_has_its_peak_bars_and_spikes_the_fullest_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(capsys, DOCUMENT)
    bars = [" "] * 40
    bars[20], bars[39] = "█", "▆"
    assert lines == [
        "[::]:80  nginx  accept: at most 16, backlog 15 (100% full)",
        f"  10 min ago [{''.join(bars)}] now",
        f"  {clock(END - 300)}  16 for 60 ms",
        f"  {clock(END - 10)}  12 for 2.0 s",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_bars_are_such_as_the_encoding_has(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    with serving(DOCUMENT) as server:
        assert history.history(HistoryFlags(server.url, None, None, json=False)) == 0
    bars = [" "] * 40
    bars[20], bars[39] = "#", "*"
    assert f"10 min ago [{''.join(bars)}] now" in written.getvalue().decode(encoding)


def test_an_episode_says_what_was_crossed(capsys: pytest.CaptureFixture[str]) -> None:
    episode = ENTRY | {"severity": "critical", "at": END - 300.0, "netns": "web-1"}
    lines = printed(capsys, DOCUMENT | {"listeners": [], "episodes": [episode]})
    assert lines[0] == "No connection was seen in the queue in the last 10 min."
    what = "accept beyond critical, at most 16, backlog 15 (100% full) in the minute around it"
    assert lines[1:] == [f"{clock(END - 300)}  [::]:80  web-1  nginx: {what}"]


def test_what_is_missing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, DOCUMENT | {"listeners": [], "omitted": 2})[0].startswith("2 more have changed")
    lines = printed(capsys, DOCUMENT | {"listeners": [], "omitted": 2, "dropped_changes": 5})
    assert lines == [
        "2 more have changed too often for one answer; ask for one --port.",
        "5 older changes were dropped; recorder.max_mebibytes in the configuration allows no more.",
    ]
    lines = printed(capsys, DOCUMENT | {"listeners": [], "omitted": 1, "dropped_changes": 1})
    assert lines == [
        "1 more has changed too often for one answer; ask for one --port.",
        "1 older change was dropped; recorder.max_mebibytes in the configuration allows no more.",
    ]
    lines = printed(capsys, DOCUMENT | {"listeners": [], "enabled": False})
    assert lines == ["The exporter keeps no history: its configuration has recorder: {enabled: false}."]


def test_names_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, DOCUMENT | {"listeners": [ENTRY | {"process": "a\x1b[2Jb\n", "changes": []}]})
    assert lines[0].startswith(r"[::]:80  a\x1b[2Jb\x0a  accept")
    for name in ("queue", "limit"):
        assert "\x1b" not in "".join(printed(capsys, DOCUMENT | {"listeners": [ENTRY | {name: "\x1b[2J"}]}))


def test_the_limit_of_a_syn_queue_is_no_backlog(capsys: pytest.CaptureFixture[str]) -> None:
    entry = ENTRY | {"queue": "syn_recv", "limit": 16}
    lines = printed(capsys, DOCUMENT | {"listeners": [entry]})
    assert lines[0] == "[::]:80  nginx  syn_recv: at most 16, limit 16 (100% full)"


def test_an_unknown_length_is_not_an_empty_queue(capsys: pytest.CaptureFixture[str]) -> None:
    gone = ENTRY | {"peak_length": None, "peak_ratio": None, "changes": [[END - 5.0, None, None]]}
    assert printed(capsys, DOCUMENT | {"listeners": [gone]})[0].endswith("accept: at most unknown")


def test_json_is_the_answer_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    document = DOCUMENT | {"listeners": [ENTRY | {"process": "caf\u00e9\x9b2J"}]}
    with serving(document) as server:
        assert history.history(HistoryFlags(server.url, "80", "5m", json=True)) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown) == document
    assert shown.isascii()
    assert server.paths == ["/api/v1/history?port=80&since=5m"]


def test_user_and_password_of_the_url_are_sent_and_never_printed() -> None:
    with serving(DOCUMENT, status=401, body=b"no\n") as server:
        url = server.url.replace("://", "://me:s%40cret@")
        with pytest.raises(RunError) as caught:
            history.history(HistoryFlags(url, None, None, json=False))
    assert server.authorizations == ["Basic bWU6c0BjcmV0"]
    assert str(caught.value).startswith(f"{server.url} answers 401: no; --url may have a user and a password")


@pytest.mark.parametrize(("body", "words"), [(b"<html>", "is not JSON"), (b"[1]", "is not an object")])
def test_what_is_no_exporter_is_told(body: bytes, words: str) -> None:
    with serving(DOCUMENT, body=body) as server, pytest.raises(RunError, match=words):
        history.history(HistoryFlags(server.url, None, None, json=False))


def test_where_nothing_answers_one_line_says_what_to_do() -> None:
    with serving(DOCUMENT) as server:
        pass
    with pytest.raises(RunError, match=r"no exporter answers at http://127.*; --url says where one runs"):
        history.history(HistoryFlags(server.url, None, None, json=False))


@pytest.mark.parametrize("url", ["localhost:10511", "ftp://x", "http://", ""])
def test_a_url_that_is_none_is_wrong_use(url: str) -> None:
    with pytest.raises(UsageError, match="is no address of an exporter"):
        history.history(HistoryFlags(url, None, None, json=False))


def test_by_default_the_exporter_of_this_host_is_asked_for_all_that_there_is() -> None:
    assert parse(["history"]) == HistoryFlags("http://localhost:10511", None, None, json=False)
    given = ["history", "--port=80", "--since", "10m", "--url=https://h:1", "--json"]
    assert parse(given) == HistoryFlags("https://h:1", "80", "10m", json=True)


@pytest.mark.parametrize("given", ["10", "never", "0s", "-5m", "10 m"])
def test_a_duration_that_is_none_is_wrong_use(given: str) -> None:
    with pytest.raises(UsageError, match=r"--since: .* is no duration above 0, such as 30s, 10m or 24h"):
        parse(["history", f"--since={given}"])


def test_of_several_listeners_it_says_how_many_were_watched(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(capsys, DOCUMENT | {"listeners": [], "matching": 7, "since_seconds": 90.0})
    assert line == "No connection was seen in the queues of 7 listeners in the last 1.5 min."


def test_a_crossing_of_a_listener_that_is_gone_is_told_with_its_date(
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = END - 86_000.0
    gone = {"listeners": [], "matching": 0, "episodes": [ENTRY | {"severity": "critical", "at": at}]}
    nothing, episode = printed(capsys, DOCUMENT | gone)
    assert nothing == (
        "No listener is open now that is asked for, and none had a connection in the last 10 min."
    )
    date = datetime.fromtimestamp(at, UTC).astimezone().date()
    assert episode.startswith(f"{date} {clock(at)}  [::]:80  nginx: accept beyond critical")


@pytest.mark.parametrize(
    ("length", "ratio", "shown"), [(4080, 0.9958, "99% full"), (1, 0.0002, "<1% full"), (0, 0.0, "0% full")]
)
def test_no_queue_with_a_place_left_is_called_full(
    length: int, ratio: float, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = ENTRY | {"peak_length": length, "peak_ratio": ratio, "limit": 4096}
    assert shown in printed(capsys, DOCUMENT | {"listeners": [entry]})[0]


def test_no_time_at_all_has_no_bars(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"[{' ' * 40}]" in printed(capsys, DOCUMENT | {"since_seconds": 0.0})[1]


@pytest.mark.parametrize(
    ("port", "words"), [("70000", "no listener has the port 70000"), (None, "no listener is open")]
)
def test_where_no_listener_matches_it_does_not_read_as_healthy(port: str | None, words: str) -> None:
    with (
        serving(DOCUMENT | {"listeners": [], "matching": 0}) as server,
        pytest.raises(RunError, match=words),
    ):
        history.history(HistoryFlags(server.url, port, None, json=False))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"listeners": [], "history": []},
        DOCUMENT | {"listeners": [{}]},
        DOCUMENT | {"time": None},
        DOCUMENT | {"listeners": [ENTRY | {"changes": [[END]]}]},
        DOCUMENT | {"listeners": [ENTRY | {"changes": [[1e300, 1, 1.0]]}]},
    ],
)
def test_what_is_no_history_is_told_in_one_line(document: dict[str, Any]) -> None:
    with (
        serving(document) as server,
        pytest.raises(RunError, match="is no listen-queue-exporter of this version"),
    ):
        history.history(HistoryFlags(server.url, None, None, json=False))
