"""The table that `show` prints: the order of its rows, and what is left empty."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.integration import command, listening_sockets
from tests.integration.other_namespaces import only

PORTS = (10_000, 800, 9000)


def rows(table: str) -> list[dict[str, str]]:
    """The cells of a table by the titles of their columns."""
    titles, *lines = (line.split() for line in table.splitlines())
    return [dict(zip(titles, cells, strict=True)) for cells in lines]


def shown(*flags: str) -> list[dict[str, str]]:
    """The rows that `show` prints."""
    return rows(command.run("show", *flags, namespaces=True).output)


@pytest.mark.netns
def test_rows_that_are_equally_full_are_in_the_order_of_namespace_address_and_port(tmp_path: Path) -> None:
    """The own namespace first; ports by their numbers."""
    with Namespaces() as namespaces, ExitStack() as stack:
        for address in ("127.0.0.2", "127.0.0.1"):
            for port in PORTS:
                stack.enter_context(listening_sockets.tcp(address, port))
        web, db = (namespaces.named(name) for name in ("web", "db"))
        for made in (web, db):
            made.listen_tcp(*PORTS, backlog=1)
        db.fill_tcp(9000, 1)
        config = tmp_path / "config.yml"
        config.write_text(only("web", "db"))
        expected = [
            ("db", "0.0.0.0:9000"),
            *(("host", f"127.0.0.{end}:{port}") for end in (1, 2) for port in sorted(PORTS)),
            ("db", "0.0.0.0:800"),
            ("db", "0.0.0.0:10000"),
            *(("web", f"0.0.0.0:{port}") for port in sorted(PORTS)),
        ]
        flag = f"--config.file={config}"
        # The kernel may put a connection into the queue after the client is connected.
        until(lambda: [(row["NETNS"], row["LISTENER"]) for row in shown(flag)], equals(expected))


@pytest.mark.netns
def test_an_empty_queue_has_no_oldest_connection() -> None:
    """In JSON it is 0, as on the page."""
    with ExitStack() as stack:
        full = stack.enter_context(listening_sockets.tcp("127.0.0.1", 8080))
        stack.enter_context(listening_sockets.tcp("127.0.0.1", 8081))
        stack.enter_context(listening_sockets.clients(full, 1)[0])
        first, second = until(
            lambda: rows(command.run("show").output), lambda found: found[0]["WAITING"] == "1"
        )
        assert first["LISTENER"] == "127.0.0.1:8080"
        assert float(first["OLDEST"].removesuffix("s")) >= 0.0
        assert (second["LISTENER"], second["WAITING"], second["OLDEST"]) == ("127.0.0.1:8081", "0", "-")
        oldest = [
            row["accept_oldest_wait_seconds"] for row in json.loads(command.run("show", "--json").output)
        ]
        assert oldest[1] == 0.0


@pytest.mark.netns
def test_a_unix_socket_whose_path_leads_elsewhere_says_so(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with listening_sockets.unix(str(path)):
        (row,) = json.loads(command.run("show", "--json").output)
        assert (row["address"], row["stale_path"]) == (str(path), False)
        path.unlink()
        (row,) = json.loads(command.run("show", "--json").output)
        assert row["stale_path"] is True
        # A long path lacks its middle.
        assert "/app.sock (stale path)" in command.run("show").output


@pytest.mark.netns
def test_only_the_listeners_that_are_asked_for_are_printed() -> None:
    with ExitStack() as stack:
        for port in PORTS:
            stack.enter_context(listening_sockets.tcp("127.0.0.1", port))
        assert [row["LISTENER"] for row in shown("--port=800")] == ["127.0.0.1:800"]
        assert {row["LISTENER"] for row in shown("--port=*000", "--protocol", "tcp")} == {
            "127.0.0.1:9000",
            "127.0.0.1:10000",
        }
        assert shown("--netns=web") == []


@pytest.mark.netns
def test_a_running_exporter_is_asked_by_its_url() -> None:
    """It may be that of another host."""
    with ExitStack() as stack:
        full = stack.enter_context(listening_sockets.tcp("127.0.0.1", 8080, backlog=1))
        for client in listening_sockets.clients(full, 2):
            stack.enter_context(client)
        daemon = stack.enter_context(running())
        flags = (f"--url=http://127.0.0.1:{daemon.port}", "--port=8080")
        (row,) = until(lambda: shown(*flags), lambda found: [row["WAITING"] for row in found] == ["2"])
        assert (row["LISTENER"], row["BACKLOG"], row["FULL"]) == ("127.0.0.1:8080", "1", "100%")
        (listener,) = json.loads(command.run("show", "--json", *flags).output)
        assert (listener["state"], listener["accept_length"]) == ("full", 2)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--prometheus", "--port=80"], "--prometheus prints all metrics of this host"),
        (["--prometheus", "--url=http://x"], "--prometheus prints all metrics of this host"),
        (["--prometheus", "--clients"], "--prometheus prints all metrics of this host"),
        (["--url=http://x", "--config.file=c.yaml"], "--config.file is for this host"),
        (["--url=x"], "is no address of an exporter"),
    ],
)
def test_flags_that_exclude_each_other_are_wrong_use(flags: list[str], words: str) -> None:
    ended = command.run("show", *flags)
    assert (ended.status, ended.output) == (2, "")
    assert words in ended.errors
    assert len(ended.errors.splitlines()) == 1
