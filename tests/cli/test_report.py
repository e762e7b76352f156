"""What `doctor` prints, made from findings."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from exporter.cli import report, table
from exporter.doctor.finding import Certainty, Finding, FindingSeverity
from exporter.doctor.host_view import HostView, ListenerView, NamespaceView, Unseen
from exporter.listeners.key import ListenerKey
from exporter.owners.owner import Owner

_KEY = ListenerKey("host", "tcp", "0.0.0.0", "80")
_NAMESPACE = NamespaceView("host", (ListenerView(_KEY, Owner(process="nginx"), ()),))
_HOST = HostView(3.0, (_NAMESPACE,))
_FINDING = Finding(
    name="queue-full",
    title="nginx at 0.0.0.0:80: its accept queue is full",
    severity=FindingSeverity.CRITICAL,
    certainty=Certainty.CERTAIN,
    evidence=("512 connections waited at most, of 512 that it holds; it was full for 3.0 s",),
    change="let it accept faster",
    namespaces=("host",),
    listener=_KEY,
    process="nginx",
)
_UNSEEN = Unseen("other network namespaces", "run it as root")


def test_a_healthy_host_is_one_line() -> None:
    printed = report.text(_HOST, (), colour=False)
    assert printed == "Nothing wrong: 1 TCP and 0 unix listeners, 1 namespace, watched for 3.0 s.\n"


def test_what_was_not_seen_is_not_called_right() -> None:
    printed = report.text(replace(_HOST, unseen=(_UNSEEN,)), (), colour=False)
    assert printed.startswith("Nothing wrong in what could be read: ")
    assert printed.endswith("\nNot seen:\n  - other network namespaces: run it as root\n")


def test_a_finding_has_its_evidence_and_its_change() -> None:
    printed = report.text(_HOST, (_FINDING,), colour=False)
    assert printed.split("\n\n", 1)[1] == (
        "CRITICAL nginx at 0.0.0.0:80: its accept queue is full (certain)\n"
        "  - 512 connections waited at most, of 512 that it holds; it was full for 3.0 s\n"
        "  change: let it accept faster\n"
    )


@pytest.mark.parametrize(
    ("severities", "beginning"),
    [
        ((FindingSeverity.NOTE,), "Nothing wrong: 1 TCP"),
        ((FindingSeverity.WARNING, FindingSeverity.NOTE, FindingSeverity.NOTE), "1 warning, 2 notes: 1 TCP"),
        ((FindingSeverity.CRITICAL, FindingSeverity.CRITICAL), "2 critical: 1 TCP"),
    ],
)
def test_the_first_line_counts_what_was_found(
    severities: tuple[FindingSeverity, ...], beginning: str
) -> None:
    found = [replace(_FINDING, severity=severity) for severity in severities]
    assert report.text(_HOST, found, colour=False).startswith(beginning)


def test_names_of_other_namespaces_are_said() -> None:
    names = tuple(f"pod-{number}" for number in range(7))
    printed = report.text(_HOST, (replace(_FINDING, namespaces=names),), colour=False)
    assert "  - in network namespaces pod-0, pod-1, pod-2, pod-3, pod-4 and 2 more\n" in printed


@pytest.mark.parametrize("encoding", [None, "ascii", "latin-1", "shift_jis"])
def test_wide_characters_and_escapes_are_counted_before_lines_are_broken(encoding: str | None) -> None:
    wide = "a \u65e5\u672c\u8a9e\u00e9\u20ac\N{COMBINING ACUTE ACCENT}" * 40
    found = replace(_FINDING, title=wide, evidence=(wide, wide[2:]), change=wide)
    printed = report.text(_HOST, (found,), colour=False, encoding=encoding)
    printed.encode(encoding or "utf-8")
    widths = [table.width(line) for line in printed.splitlines()]
    assert max(widths) <= 80
    assert max(widths) > 70


def test_no_line_is_longer_than_80_columns_and_no_control_character_is_printed() -> None:
    hostile = "a\x1b[2J\nb\u202ec" * 40
    found = replace(_FINDING, title=hostile, evidence=(hostile,), change=hostile, namespaces=(hostile,))
    printed = report.text(replace(_HOST, unseen=(Unseen(hostile, hostile),)), (found,), colour=False)
    assert max(map(len, printed.splitlines())) <= 80
    assert all(character.isprintable() for line in printed.split("\n") for character in line)
    assert r"\x1b[2J\x0ab\xe2\x80\xae" in printed.replace("\n    ", "")


def test_colour_is_only_in_the_word_of_the_severity() -> None:
    plain = report.text(_HOST, (_FINDING,), colour=False)
    coloured = report.text(_HOST, (_FINDING,), colour=True)
    assert "\x1b[1;31mCRITICAL\x1b[0m nginx" in coloured
    assert coloured.replace("\x1b[1;31m", "").replace("\x1b[0m", "") == plain


def test_json_has_the_same() -> None:
    host = replace(_HOST, unseen=(_UNSEEN,))
    read = json.loads(report.document(host, (_FINDING, replace(_FINDING, listener=None, process=""))))
    assert read["watched_seconds"] == 3.0
    assert read["seen"] == {"tcp_listeners": 1, "unix_listeners": 0, "network_namespaces": 1}
    assert read["not_seen"] == [{"what": "other network namespaces", "needs": "run it as root"}]
    first, second = read["findings"]
    assert first["listener"] == {
        "netns": "host",
        "protocol": "tcp",
        "address": "0.0.0.0",
        "port": "80",
        "process": "nginx",
    }
    assert (first["severity"], first["certainty"], second["listener"]) == ("critical", "certain", None)
