"""Who waits at a listener: `show --clients`, here and at a running exporter, on the kernel."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from testbed import flood, programs
from testbed.daemon import Daemon, running
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.integration import command, listening_sockets
from tests.integration.metric_values import EAGER, until_figure
from tests.integration.other_namespaces import descriptors, only, success, watching
from tests.integration.service import Service

PORT = 8080
Clients = dict[str, Any]


def shown(*flags: str, namespaces: bool = False) -> dict[str, Clients]:
    """What `show` tells of the clients at this port, by the address of the listener."""
    ended = command.run("show", "--json", "--clients=20", f"--port={PORT}", *flags, namespaces=namespaces)
    assert (ended.status, command.without_not_seen(ended.errors)) == (0, "")
    return {row["address"]: row["clients"] for row in json.loads(ended.output)}


def counts(clients: Clients, name: str = "addresses") -> dict[str, tuple[int, int]]:
    """Waiting and half-open connections by address or network."""
    singular = {"addresses": "address", "networks": "network"}[name]
    return {each[singular]: (each["waiting"], each["syn_recv"]) for each in clients[name]}


def told(daemon: Daemon, **labels: str) -> Clients:
    """What a running exporter tells of the clients of the one listener with these labels."""
    query = urlencode({"clients": "20", "port": str(PORT), **labels})
    (row,) = json.loads(daemon.request(f"/api/v1/listeners?{query}").text)["listeners"]
    clients: Clients = row["clients"]
    return clients


def until_told(wanted: dict[str, tuple[int, int]], find: Callable[[], Clients], unseen: int = 0) -> Clients:
    """Return when these clients are told, and so many unseen ones; fails the test at the deadline."""
    return until(find, lambda found: (counts(found), found["unseen"]) == (wanted, unseen))


def client(to: str, source: str, port: int = PORT) -> socket.socket:
    """A connection from this address, which waits until it is accepted."""
    return socket.create_connection((to, port), timeout=20, source_address=(source, 0))


@pytest.mark.netns
def test_clients_are_told_by_address_and_network_and_accepted_ones_are_not() -> None:
    """Of a dual-stack listener: IPv4, which the kernel shows as mapped addresses, and IPv6."""
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        listener = stack.enter_context(listening_sockets.tcp("::", PORT, backlog=50))
        other = stack.enter_context(listening_sockets.tcp("127.0.0.1", 8081))
        accepted = client("127.0.0.1", "127.0.0.99")
        stack.enter_context(accepted)
        stack.enter_context(listener.accept()[0])
        for source in ("127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.1.3"):
            stack.enter_context(client("127.0.0.1", source))
        stack.enter_context(client("::1", "::1"))
        stack.enter_context(client("127.0.0.1", "127.0.0.50", port=other.getsockname()[1]))
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, PORT, 4)
        flood.syn_flood(tun, listening_sockets.TUN_IPV6, PORT, 2)
        expected = {
            "10.99.0.2": (0, 4),
            "127.0.0.2": (3, 0),
            "fd99::2": (0, 2),
            "127.0.0.3": (1, 0),
            "127.0.1.3": (1, 0),
            "::1": (1, 0),
        }
        found = until_told(expected, lambda: shown()["::"])
        assert next(iter(counts(found))) == "10.99.0.2"
        assert counts(found, "networks") == {
            "127.0.0.0/24": (4, 0),
            "10.99.0.0/24": (0, 4),
            "fd99::/64": (0, 2),
            "127.0.1.0/24": (1, 0),
            "::/64": (1, 0),
        }
        assert (found["waiting"], found["syn_recv"], found["complete"]) == (6, 6, True)
        assert all(
            each["oldest_wait_seconds"] is None if not each["waiting"] else each["oldest_wait_seconds"] >= 0
            for each in found["addresses"]
        )
        ended = command.run("show", "--clients=2", f"--port={PORT}")
        assert (
            "6 waiting and 6 half-open connections; addresses: 6, in networks (/24, /64): 5" in ended.output
        )
        assert "not listed: 4 more addresses and 3 more networks" in ended.output


@pytest.mark.netns
@pytest.mark.parametrize("bound", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_running_exporter_tells_them_by_its_url(bound: str) -> None:
    with ExitStack() as stack:
        stack.enter_context(listening_sockets.tcp(bound, PORT, backlog=5))
        daemon = stack.enter_context(running(config=EAGER))
        until_figure(daemon, 0, "accept_length", port=str(PORT))
        assert told(daemon)["waiting"] == 0
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.2"):
            stack.enter_context(client("127.0.0.1", source))
        expected = {"127.0.0.2": (2, 0), "127.0.0.3": (1, 0)}
        until_told(expected, lambda: told(daemon))
        assert counts(shown(f"--url=http://127.0.0.1:{daemon.port}")["127.0.0.1"]) == expected
        # They are asked for by nobody else, and are no labels.
        for path in ("/metrics", "/api/v1/listeners", "/api/v1/history"):
            assert "127.0.0.2" not in daemon.request(path).text


def web_with_clients(stack: ExitStack) -> None:
    """A namespace `web` with a listener, at which clients wait that came over a veth pair."""
    web = stack.enter_context(Namespaces()).named("web")
    web.listen_tcp(PORT, backlog=20)
    web.veth("10.98.0.1/24", "10.98.0.2/24")
    programs.output("ip", "address", "add", "10.98.0.7/24", "dev", "veth0")
    for source in ("10.98.0.1", "10.98.0.7", "10.98.0.7"):
        stack.enter_context(client("10.98.0.2", source))


@pytest.mark.netns
def test_clients_of_another_namespace_are_told(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(only("web"))
    with ExitStack() as stack:
        web_with_clients(stack)
        flags = (f"--config.file={config}", "--netns=web")
        expected = {"10.98.0.7": (2, 0), "10.98.0.1": (1, 0)}
        until_told(expected, lambda: shown(*flags, namespaces=True)["0.0.0.0"])


@pytest.mark.netns
@pytest.mark.parametrize("keeps_open", [True, False])
def test_a_running_exporter_goes_on_sampling_a_namespace_whose_clients_it_tells(*, keeps_open: bool) -> None:
    """Each request gets a socket of its own, whether that of the samples stays open or not."""
    with ExitStack() as stack:
        web_with_clients(stack)
        daemon = stack.enter_context(watching(only("web"), keeps_open=keeps_open))
        until_figure(daemon, 3, "accept_length", netns="web", port=str(PORT))
        for _ in range(3):
            assert counts(told(daemon, netns="web")) == {"10.98.0.7": (2, 0), "10.98.0.1": (1, 0)}
        stack.enter_context(client("10.98.0.2", "10.98.0.1"))
        until_figure(daemon, 4, "accept_length", netns="web", port=str(PORT))
        opened = descriptors(daemon.pid)
        for _ in range(20):
            assert counts(told(daemon, netns="web")) == {"10.98.0.1": (2, 0), "10.98.0.7": (2, 0)}
        # Those who asked over HTTP have some of them.
        until(lambda: descriptors(daemon.pid), lambda now: now < opened + 10)
        assert success(daemon, "inet", "web") == 1


@pytest.mark.netns
@pytest.mark.parametrize("kind", ["mptcp", "bound to a device", "group", "closed by clients"])
def test_clients_of_every_kind_of_listener_are_told(kind: str) -> None:
    with ExitStack() as stack:
        if kind == "mptcp":
            stack.enter_context(listening_sockets.mptcp("127.0.0.1", PORT))
        for _ in range({"mptcp": 0, "group": 3}.get(kind, 1)):
            device = "lo" if kind == "bound to a device" else ""
            opened = listening_sockets.tcp("127.0.0.1", PORT, device=device, reuse_port=kind == "group")
            stack.enter_context(opened)
        clients = [client("127.0.0.1", f"127.0.0.{2 + number % 2}") for number in range(7)]
        for each in clients:
            stack.enter_context(each)
            if kind == "closed by clients":
                each.close()

        def found() -> Clients:
            (of_listener,) = shown().values()
            return of_listener

        until_told({"127.0.0.2": (4, 0), "127.0.0.3": (3, 0)}, found)


@pytest.mark.netns
def test_a_queue_of_connections_that_ended_with_reset_does_not_look_empty() -> None:
    """The kernel shows them in no dump."""
    with ExitStack() as stack:
        stack.enter_context(listening_sockets.tcp("127.0.0.1", PORT))
        for _ in range(3):
            gone = client("127.0.0.1", "127.0.0.2")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.close()
        stack.enter_context(client("127.0.0.1", "127.0.0.3"))
        until_told({"127.0.0.3": (1, 0)}, lambda: shown()["127.0.0.1"], unseen=3)
        assert "3 more waited" in command.run("show", "--clients").output


@pytest.mark.netns
def test_clients_at_a_port_of_two_programs_may_be_of_either() -> None:
    def listen() -> list[socket.socket]:
        return [listening_sockets.tcp("127.0.0.1", PORT, reuse_port=True)]

    with ExitStack() as stack:
        for name in (b"first", b"second"):
            stack.enter_context(Service(name, listen))
        stack.enter_context(client("127.0.0.1", "127.0.0.2"))

        def found() -> dict[str, tuple[int, bool]]:
            rows = json.loads(command.run("show", "--json", "--clients", f"--port={PORT}").output)
            waiting = [row for row in rows if row["accept_length"]]
            return {row["process"]: (row["clients"]["waiting"], row["clients"]["shared"]) for row in waiting}

        assert list(until(found, lambda told: len(told) == 1).values()) == [(1, True)]


@pytest.mark.netns
def test_a_folded_listener_has_the_clients_of_all(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("rules: [{name: transfers, match: {port: 20000-65535}, fold: true}]\n")
    with ExitStack() as stack:
        for port in (20_001, 20_002):
            stack.enter_context(listening_sockets.tcp("127.0.0.1", port))
            stack.enter_context(client("127.0.0.1", f"127.0.0.{port - 20_000 + 1}", port))

        def found() -> list[tuple[str, dict[str, tuple[int, int]]]]:
            ended = command.run("show", "--json", "--clients", f"--config.file={config}")
            return [(row["port"], counts(row["clients"])) for row in json.loads(ended.output)]

        until(found, equals([("*", {"127.0.0.2": (1, 0), "127.0.0.3": (1, 0)})]))


@pytest.mark.netns
def test_too_many_listeners_with_clients_are_a_wrong_request() -> None:
    with ExitStack() as stack:
        for port in range(8000, 8021):
            stack.enter_context(listening_sockets.tcp("127.0.0.1", port))
            stack.enter_context(client("127.0.0.1", "127.0.0.2", port))
        daemon = stack.enter_context(running(config=EAGER))
        words = "connections wait at 21 listeners, and clients are listed for 20 at most"

        def status() -> tuple[int, bool]:
            answer = daemon.request("/api/v1/listeners?clients=5")
            return answer.status, words in answer.text

        until(status, equals((HTTPStatus.BAD_REQUEST, True)))
        ended = until(lambda: command.run("show", "--clients"), lambda ended: ended.status != 0)
        assert (ended.status, ended.output) == (2, "")
        assert words in ended.errors
        assert daemon.request("/api/v1/listeners?clients=5&port=800?").status == HTTPStatus.OK


@pytest.mark.netns
def test_the_log_tells_who_waits_most_at_a_queue_that_is_full() -> None:
    with ExitStack() as stack:
        stack.enter_context(listening_sockets.tcp("::", PORT, backlog=3))
        daemon = stack.enter_context(running())
        until_figure(daemon, 0, "accept_length", port=str(PORT))
        for source in ("127.0.0.3", "127.0.0.2", "127.0.0.2", "127.0.0.2"):
            stack.enter_context(client("127.0.0.1", source))
        daemon.wait_for_log('length=4 backlog=3 clients="127.0.0.2 (3), 127.0.0.3 (1)"')
