"""`show` with the document of an exporter, which may be anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.cli.show.command import show
from exporter.cli.show_flags import OutputFormat, ShowFlags
from exporter.errors import RunError
from tests.cli.json_server import serving
from tests.cli.show.rows import member, row

ESCAPE = "\x1b[2J\n"
NEEDS = {"what": "other network namespaces", "needs": "run it as root"}


def document(*rows: dict[str, Any], **values: object) -> dict[str, Any]:
    return {"time": 1.0, "listeners": list(rows), "namespaces": [], "errors": [], "not_seen": []} | values


def printed(
    capsys: pytest.CaptureFixture[str],
    found: object,
    kind: OutputFormat = OutputFormat.TABLE,
    states: tuple[str, ...] = (),
) -> tuple[str, str]:
    with serving(found) as server:
        assert show(ShowFlags(kind, None, server.url, states=states)) == 0
    out, err = capsys.readouterr()
    return out, err


def test_what_is_asked_for_is_in_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(document(row(members=[member(0, 3), member(0, 5)]))) as server:
        flags = ShowFlags(OutputFormat.TABLE, None, server.url, (("port", "8*"),), members=True)
        assert show(flags) == 0
    assert server.paths == ["/api/v1/listeners?port=8%2A&members=true"]
    assert capsys.readouterr().out.count("socket") == 2


def test_json_is_the_rows_in_the_states_that_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(state="full"), row(state="warning"), row(), row(state=None)]
    out, err = printed(capsys, document(*rows), OutputFormat.JSON, ("full", "ok"))
    assert json.loads(out) == [rows[0], rows[2]]
    assert err == ""


def test_the_window_of_the_peaks_is_that_of_the_exporter(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = printed(capsys, document(row(peak_seconds=60.0, accept_peak_length=6)))
    assert "PEAK 60s" in out.splitlines()[0]


def test_an_empty_answer_says_that_it_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = printed(capsys, document())
    assert len(out.splitlines()) == 1
    assert err == "listen-queue-exporter: no listener was found\n"
    _, err = printed(capsys, document(row()), states=("full",))
    assert err == "listen-queue-exporter: no listener matches the flags\n"


def test_what_the_exporter_does_not_see_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    errors = [
        {"netns": "web", "source": source, "error": "EPERM", "hides_listeners": True}
        for source in ("inet", "unix")
    ]
    found = document(row(), errors=errors, not_seen=[NEEDS])
    assert printed(capsys, found)[1].splitlines() == [
        "listen-queue-exporter: the exporter does not see other network namespaces: run it as root",
        "listen-queue-exporter: web: EPERM",
    ]
    told = NEEDS | {"what": "TCP listeners of network namespace web", "needs": "EPERM"}
    _, err = printed(capsys, found | {"not_seen": [told]})
    assert len(err.splitlines()) == 1


def test_nothing_that_an_exporter_sends_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"netns": ESCAPE, "source": ESCAPE, "error": ESCAPE, "hides_listeners": False}
    hostile = dict.fromkeys(row(), ESCAPE) | {"members": [dict.fromkeys(member(0, 1), ESCAPE)] * 2}
    found = document(hostile, errors=[error], not_seen=[{"what": ESCAPE, "needs": ESCAPE * 2}])
    for kind in (OutputFormat.TABLE, OutputFormat.JSON, OutputFormat.CSV):
        out, err = printed(capsys, found, kind)
        assert "\x1b" not in out + err
        assert len(err.splitlines()) == 2
    with serving(found) as server:
        assert show(ShowFlags(OutputFormat.CHECK, None, server.url)) == 3
    assert "\x1b" not in "".join(capsys.readouterr())


def test_an_error_of_the_server_controls_nothing_either() -> None:
    with serving(status=503, body=ESCAPE.encode() + b"x") as server, pytest.raises(RunError) as caught:
        show(ShowFlags(OutputFormat.TABLE, None, server.url))
    assert str(caught.value).endswith(r"answers 503: \x1b[2J\x0ax")


@pytest.mark.parametrize(
    "found",
    [{}, {"listeners": []}, document() | {"errors": {}}, document() | {"listeners": [1]}, {"listeners": "a"}],
)
def test_a_document_of_something_else_is_one_line(found: object) -> None:
    with serving(found) as server, pytest.raises(RunError) as caught:
        show(ShowFlags(OutputFormat.TABLE, None, server.url))
    assert "no listen-queue-exporter of this version" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


HUGE = 10**400
DEEP: list[Any] = [[[[[{"a": [1.0, None]}]]]]]


@pytest.mark.parametrize("value", [HUGE, -HUGE, 1e308, "9" * 10_000, "x" * 100_000, DEEP, {"a": DEEP}, True])
@pytest.mark.parametrize("kind", list(OutputFormat)[:4])
def test_whatever_stands_for_a_value_is_no_traceback(
    value: object, kind: OutputFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = dict.fromkeys(row(), value) | {"members": [dict.fromkeys(member(0, 1), value)] * 2}
    clients = {"clients": {"waiting": value, "syn_recv": value, "unseen": value, "addresses": [value]}}
    every = [hostile, row(accept_length=value, accept_peak_length=value), row(accept_limit=value) | clients]
    error = dict.fromkeys(("netns", "source", "error"), value) | {"hides_listeners": value}
    found = document(*every, errors=[error], not_seen=[dict.fromkeys(("what", "needs"), value)])
    with serving(found) as server:
        assert show(ShowFlags(kind, None, server.url)) in (0, 3)
    assert "Traceback" not in "".join(capsys.readouterr())


def test_an_exporter_that_cannot_read_its_own_namespace_is_no_empty_table() -> None:
    error = {"netns": "host", "source": "inet", "error": "EPERM", "hides_listeners": True}
    with serving(document(errors=[error])) as server, pytest.raises(RunError, match="inet: EPERM"):
        show(ShowFlags(OutputFormat.TABLE, None, server.url))
