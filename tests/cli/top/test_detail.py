"""The lines about one listener."""

from __future__ import annotations

from typing import Any

from exporter.cli.show.listener import ShownListener
from exporter.cli.top.detail import detail_lines, find
from exporter.cli.top.recent import key_of
from tests.cli.show.rows import member, row

NONE: dict[str, Any] = {
    "enabled": True,
    "time": 1000.0,
    "since_seconds": 600.0,
    "dropped_changes": 0,
    "listeners": [],
}


def text(history: dict[str, Any] = NONE, **values: object) -> str:
    return "\n".join(detail_lines(ShownListener(row(**values)), history))


def test_queues_with_their_thresholds() -> None:
    shown = text(accept_length=9, accept_limit=9, accept_peak_length=10, state="critical", syn_recv=3)
    assert shown.startswith("0.0.0.0:80  tcp  critical\n")
    assert "accept queue: 9 of 9, at most 10 lately, warning at 50%, critical at 90%" in shown
    assert "SYN queue: 3 of 10" in shown


def test_a_unix_listener_has_no_syn_queue() -> None:
    assert "SYN" not in text(protocol="unix", port="", syn_recv=None)


def test_each_socket_where_there_are_several() -> None:
    assert "SOCKET" not in text(members=[member(1, 9)])
    shown = text(members=[member(10, 9, inode=5, pid=77), member(0, 9, inode=6, pid=None)])
    assert "5       77    10/9" in shown
    assert "6       -      0/9" in shown


def test_history_of_this_listener_alone() -> None:
    spike = [[990.0, 10, 1.0], [990.06, 0, 0.0]]
    entry = row() | {"queue": "accept", "limit": 9, "peak_length": 10, "peak_ratio": 1.0, "changes": spike}
    other = entry | {"port": "81"}
    shown = text(NONE | {"listeners": [other, entry]})
    assert shown.count("at most 10, backlog 9 (100% full)") == 1
    assert "10 for 60 ms" in shown


def test_where_there_is_no_history_it_says_so() -> None:
    assert "no connection has waited" in text()
    assert "recorder: {enabled: false}" in text(NONE | {"enabled": False})
    dropped = text(NONE | {"dropped_changes": 3})
    assert "no connection has waited" not in dropped
    assert "older changes were dropped" in dropped


def test_control_characters_do_not_reach_the_terminal() -> None:
    shown = text(address="\x1b[31m", process="a\nb", netns="x\r", accept_warning="\x1b]0;title\x07")
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "a\\x0ab" in shown


def test_a_listener_is_found_by_all_its_labels() -> None:
    rows = [row(port="80"), row(port="80", process="other")]
    found = find({"listeners": rows}, key_of(ShownListener(rows[1])))
    assert found == ShownListener(rows[1])
    assert find({"listeners": rows[:1]}, key_of(ShownListener(rows[1]))) is None
