"""What `show` prints of real listeners: the order of its rows, what is left empty, peaks, sockets, states."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.netns import Namespaces
from testbed.repeated import repeated
from testbed.waiting import equals, until
from tests.integration import command, listening_sockets
from tests.integration.other_namespaces import only

PORTS = (10_000, 800, 9000)


def rows(table: str) -> list[dict[str, str]]:
    """The cells of a table by the titles of their columns; one blank is part of a cell."""
    titles, *lines = (re.split("  +", line) for line in table.splitlines())
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
        assert command.run("show", flag, namespaces=True).errors == ""


@pytest.mark.netns
def test_an_empty_queue_has_no_oldest_connection() -> None:
    """In JSON it is 0, as on the page."""
    with ExitStack() as stack:
        full = stack.enter_context(listening_sockets.tcp("127.0.0.1", 8080))
        stack.enter_context(listening_sockets.tcp("127.0.0.1", 8081))
        stack.enter_context(listening_sockets.clients(full, 1)[0])
        first, second = until(
            lambda: rows(command.run("show").output), lambda found: found[0]["QUEUE"] == "1/16 #........."
        )
        assert first["LISTENER"] == "127.0.0.1:8080"
        assert float(first["OLDEST"].removesuffix("s")) >= 0.0
        assert (second["LISTENER"], second["QUEUE"]) == ("127.0.0.1:8081", "0/16 ..........")
        assert second["OLDEST"] == "-"
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
        (row,) = until(lambda: shown(*flags), lambda found: [row["STATE"] for row in found] == ["full"])
        assert (row["LISTENER"], row["QUEUE"]) == ("127.0.0.1:8080", "2/1 ##########")
        # The window is that of the exporter, which has not run for so long yet.
        (peak,) = (value for title, value in row.items() if title.startswith("PEAK "))
        assert peak == "2"
        (listener,) = json.loads(command.run("show", "--json", *flags).output)
        assert (listener["state"], listener["accept_length"]) == ("full", 2)


@pytest.mark.netns
def test_a_watch_sees_a_queue_that_is_empty_again() -> None:
    with listening_sockets.tcp("127.0.0.1", backlog=7) as listener, bursts(listener, 6):

        def watched() -> dict[str, object]:
            (row,) = json.loads(command.run("show", "--json", "--for=500ms").output)
            found: dict[str, object] = row
            return found

        row = until(watched, lambda found: found["accept_length"] == 0)
        assert (row["accept_peak_length"], row["accept_peak_utilization_ratio"]) == (6, 0.75)
        assert isinstance(row["peak_seconds"], float)
        assert row["peak_seconds"] >= 0.5
        # What was exceeded at any time of the watch counts.
        assert row["state"] == "warning"
        ((title, peak),) = (
            (title, cell) for title, cell in shown("--for=500ms")[0].items() if title.startswith("PEAK ")
        )
        assert (title[-1], peak) == ("s", "6")


@contextmanager
def bursts(listener: socket.socket, count: int) -> Iterator[None]:
    """Have so many clients wait for a tenth of a second, and none for the next, again and again."""

    def burst() -> None:
        clients = listening_sockets.clients(listener, count)
        time.sleep(0.1)
        for end in (*listening_sockets.accept(listener, count), *clients):
            end.close()

    with repeated(burst, pause_seconds=0.1):
        yield


@pytest.mark.netns
def test_only_listeners_in_a_state_are_printed_where_that_is_asked_for() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(listening_sockets.tcp("127.0.0.1", 8080, backlog=1))
        stack.enter_context(listening_sockets.tcp("127.0.0.1", 8081))
        for client in listening_sockets.clients(full, 2):
            stack.enter_context(client)
        until(lambda: [row["LISTENER"] for row in shown("--state=full")], equals(["127.0.0.1:8080"]))
        assert [row["LISTENER"] for row in shown("--state=ok,warning")] == ["127.0.0.1:8081"]
        none = command.run("show", "--state=warning", "--json")
        assert (none.status, json.loads(none.output)) == (0, [])
        assert "no listener matches the flags" in none.errors


@pytest.mark.netns
def test_each_socket_of_a_port_is_printed_with_its_process() -> None:
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=backlog, reuse_port=True))
            for backlog in (3, 5)
        ]
        inodes = {
            str(os.fstat(each.fileno()).st_ino): backlog
            for each, backlog in zip(sockets, (3, 5), strict=True)
        }
        group, *members = command.run("show", "--members").output.splitlines()[1:]
        assert "0/8 " in group
        assert {tuple(line.split()[:5]) for line in members} == {
            ("socket", inode, "pid", str(os.getpid()), f"0/{backlog}") for inode, backlog in inodes.items()
        }
        (row,) = json.loads(command.run("show", "--members", "--json").output)
        assert {str(each["inode"]): each["accept_limit"] for each in row["members"]} == inodes


@pytest.mark.netns
def test_csv_has_the_columns_of_json() -> None:
    with listening_sockets.tcp("127.0.0.1"), listening_sockets.unix(b'\0a,"b"'):
        text = command.run("show", "--csv").output
        rows_of_json = json.loads(command.run("show", "--json").output)
    heading, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert heading == list(rows_of_json[0])
    found = {line[heading.index("address")]: line for line in lines}
    assert set(found) == {"127.0.0.1", '@a,"b"'}
    assert found["127.0.0.1"][heading.index("accept_limit")] == "16"
    assert found['@a,"b"'][heading.index("syn_recv")] == ""
    # Where there is no listener the line of names is there all the same.
    assert command.run("show", "--csv").output == ",".join(heading) + "\r\n"


@pytest.mark.netns
def test_a_check_has_the_status_of_a_monitoring_plugin() -> None:
    def checked(*flags: str) -> tuple[int, str]:
        ended = command.run("show", "--check", *flags)
        assert len(ended.output.splitlines()) == 1
        return ended.status, ended.output.split(" - ")[0]

    with ExitStack() as stack:
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=9))
        assert checked() == (0, "LISTEN QUEUE OK")
        assert checked("--port=81") == (3, "LISTEN QUEUE UNKNOWN")
        clients = listening_sockets.clients(listener, 6)
        until(checked, equals((1, "LISTEN QUEUE WARNING")))
        clients += listening_sockets.clients(listener, 4)
        until(checked, equals((2, "LISTEN QUEUE CRITICAL")))
        line = command.run("show", "--check").output
        assert re.search(r"\| '127\.0\.0\.1:8080 \S+'=100%;50;90;0 ", line)
        daemon = stack.enter_context(running())
        url = f"--url=http://127.0.0.1:{daemon.port}"
        until(lambda: checked(url, "--port=8080"), equals((2, "LISTEN QUEUE CRITICAL")))
        assert checked(url, "--port=81") == (3, "LISTEN QUEUE UNKNOWN")
        for client in clients:
            client.close()


@pytest.mark.netns
@pytest.mark.parametrize("flags", [[], ["--json"], ["--csv"]])
def test_what_is_not_seen_is_said_with_what_it_takes_to_see_it(flags: list[str]) -> None:
    with listening_sockets.tcp("127.0.0.1"):
        assert command.run("show", *flags).errors == (
            "listen-queue-exporter: not seen: other network namespaces (containers): run it as root, or with"
            " CAP_SYS_ADMIN and CAP_SYS_PTRACE\n"
        )
