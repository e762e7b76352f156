"""What the recorder of a running exporter has kept, as the command `history` tells it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest

from testbed.daemon import running
from tests.integration import command, listening_sockets
from tests.integration.metric_values import until_figure

PORT = 8080
BACKLOG = 4


def history(*arguments: str) -> dict[str, Any]:
    ended = command.run("history", "--json", *arguments)
    assert (ended.status, ended.errors) == (0, "")
    document: dict[str, Any] = json.loads(ended.output)
    return document


@pytest.mark.netns
def test_a_spike_that_is_over_is_told_with_its_height_and_who_it_was() -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(running())
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", PORT, backlog=BACKLOG))
        until_figure(daemon, 0, "accept_length", port=str(PORT))
        for client in listening_sockets.clients(listener, BACKLOG + 1):
            stack.enter_context(client)
        until_figure(daemon, BACKLOG + 1, "accept_length", port=str(PORT))
        for _ in range(BACKLOG + 1):
            listener.accept()[0].close()
        until_figure(daemon, 0, "accept_length", port=str(PORT))
        (entry,) = history(f"--port={PORT}")["listeners"]
        assert (entry["queue"], entry["limit"], entry["peak_length"]) == ("accept", BACKLOG, BACKLOG + 1)
        assert entry["peak_ratio"] == 1.0
        assert entry["process"]
        assert [entry["changes"][index][1] for index in (0, -1)] == [0, 0]
        ended = command.run("history", f"--port={PORT}")
        assert ended.status == 0
        assert f"at most {BACKLOG + 1}, backlog {BACKLOG} (100% full)" in ended.output
        wrong = command.run("history", "--since=never")
        assert wrong.status == 2
        assert "'never' is no duration" in wrong.errors


@pytest.mark.netns
def test_where_no_exporter_runs_the_status_is_1_and_one_line_says_so() -> None:
    ended = command.run("history")
    assert (ended.status, ended.output) == (1, "")
    assert ended.errors.startswith("listen-queue-exporter: no exporter answers at http://localhost:10511")
    assert len(ended.errors.splitlines()) == 1
