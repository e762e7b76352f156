"""A listener that is bound to an IPv4-mapped IPv6 address is one of IPv4, by its label, rules and clients."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest

from testbed import flood, programs
from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.integration import listening_sockets, reference
from tests.integration.listening_sockets import TUN_IPV4, TUN_IPV6, TUN_MAPPED
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled

PROCFS = EAGER.replace("100%", "100%, method: procfs")
BOTH_METHODS = pytest.mark.parametrize("config", [EAGER, PROCFS], ids=["sock_diag", "procfs"])
LOOPBACK_ALIAS = "10.98.0.1"
MAPPED_WILDCARD = "::ffff:0.0.0.0"
ORDERS = list(permutations([MAPPED_WILDCARD, "::"]))
SHOWN = {MAPPED_WILDCARD: "0.0.0.0", "::": "::"}
OLDEST = "accept_oldest_wait_seconds"
RULES = """\
rules:
  - name: loopback
    match: {address: ["127.0.0.0/8", "::1"]}
    export: false
  - name: mapped
    match: {address: "::ffff:10.98.0.0/112"}
  - name: every
    match: {address: "0.0.0.0"}
"""


def expect(daemon: Daemon, counts: dict[str, int], unmatched: int = 0) -> None:
    """Half-open connections by the address of their listener, and in no later sample any others."""

    def found() -> dict[str, float | None]:
        return {address: figure(daemon, "syn_recv", address=address, port="8080") for address in counts}

    until(reference.syn_recv, equals(sum(counts.values()) + unmatched))
    until(found, equals(counts))
    until_sampled(daemon, "syn_recv", 2)
    assert found() == counts
    until_figure(daemon, unmatched, "syn_recv_unmatched")


def rules_of(daemon: Daemon) -> dict[tuple[str, str], str]:
    """The rule of each listener on the page, by its address and port."""
    found = daemon.metrics().all("listen_queue_listener_info")
    labels = (dict(each) for each in found)
    return {(each["address"], each["port"]): each["rule"] for each in labels}


@contextmanager
def jvm(places: list[tuple[str, int]]) -> Iterator[None]:
    """A JVM that listens on IPv4 addresses, for which it uses IPv6 sockets."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("no JVM")
    sockets = "".join(
        f'new java.net.ServerSocket({port}, 50, java.net.InetAddress.getByName("{address}"));'
        for address, port in places
    )
    Path("Listen.java").write_text(
        "public class Listen { public static void main(String[] arguments) throws Exception {"
        f" {sockets} System.out.println(); System.in.read(); }} }}"
    )
    with subprocess.Popen([java, "Listen.java"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"\n":
                pytest.skip("this JVM runs no source file")
            yield
        finally:
            process.kill()


@contextmanager
def mapped_sockets(places: list[tuple[str, int]]) -> Iterator[None]:
    """IPv6 sockets on IPv4 addresses."""
    with ExitStack() as stack:
        for address, port in places:
            stack.enter_context(listening_sockets.tcp(f"::ffff:{address}", port))
        yield


@pytest.mark.netns
@pytest.mark.parametrize("listening", [jvm, mapped_sockets])
def test_rules_for_ipv4_addresses_match_it(
    listening: Callable[[list[tuple[str, int]]], AbstractContextManager[None]], tmp_path: Path
) -> None:
    """Also where the rule has the mapped form, and then listeners of IPv4 as well."""
    os.chdir(tmp_path)
    programs.output("ip", "address", "add", f"{LOOPBACK_ALIAS}/32", "dev", "lo")
    places = [("127.0.0.1", 8005), (LOOPBACK_ALIAS, 8006)]
    with (
        listening(places),
        listening_sockets.tcp(LOOPBACK_ALIAS, 8007),
        listening_sockets.tcp(MAPPED_WILDCARD, 8008),
        running(config=EAGER + RULES) as daemon,
    ):
        expected = {
            (LOOPBACK_ALIAS, "8006"): "mapped",
            (LOOPBACK_ALIAS, "8007"): "mapped",
            ("0.0.0.0", "8008"): "every",
        }
        until(lambda: rules_of(daemon), equals(expected))


@pytest.mark.netns
@BOTH_METHODS
@pytest.mark.parametrize(
    ("bound", "shown"), [(TUN_MAPPED, TUN_IPV4), (MAPPED_WILDCARD, "0.0.0.0")], ids=["address", "wildcard"]
)
def test_its_half_open_and_waiting_connections_are_its_own(bound: str, shown: str, config: str) -> None:
    with flood.Tun() as tun, listening_sockets.tcp(bound) as listener, running(config=config) as daemon:
        _waiting = listening_sockets.clients(listener, 2, TUN_IPV4)
        flood.syn_flood(tun, TUN_IPV4, 8080, 5)
        expect(daemon, {shown: 5})
        until_figure(daemon, 2, "accept_length", address=shown, port="8080")
        if config == EAGER:
            until(lambda: figure(daemon, OLDEST, address=shown, port="8080") or 0, lambda oldest: oldest > 0)


@pytest.mark.netns
def test_bound_to_a_device_it_has_the_clients_of_that_device() -> None:
    with (
        flood.Tun() as tun,
        listening_sockets.tcp(MAPPED_WILDCARD, device=tun.name),
        running(config=EAGER) as daemon,
    ):
        flood.syn_flood(tun, TUN_IPV4, 8080, 5)
        expect(daemon, {f"0.0.0.0%{tun.name}": 5})


@pytest.mark.netns
def test_with_an_ipv4_socket_at_the_same_address_it_is_one_listener() -> None:
    """The kernel sends new clients to the IPv4 socket; those that came before it stay with the other one."""
    place = {"address": TUN_IPV4, "port": "8080"}
    with flood.Tun() as tun, ExitStack() as stack:
        mapped = listening_sockets.tcp(TUN_MAPPED, backlog=10, reuse_port=True)
        daemon = stack.enter_context(running(config=EAGER))
        for client in listening_sockets.clients(mapped, 2, TUN_IPV4):
            stack.enter_context(client)
        flood.syn_flood(tun, TUN_IPV4, 8080, 3)
        expect(daemon, {TUN_IPV4: 3})
        ipv4 = stack.enter_context(listening_sockets.tcp(TUN_IPV4, backlog=20, reuse_port=True))
        for client in listening_sockets.clients(ipv4, 1):
            stack.enter_context(client)
        flood.syn_flood(tun, TUN_IPV4, 8080, 4, first=3)
        expect(daemon, {TUN_IPV4: 7})
        for name, value in (("sockets", 2), ("accept_length", 3), ("accept_limit", 30)):
            until_figure(daemon, value, name, **place)
        until_figure(daemon, 11 + 21, "syn_recv_limit", **place)
        tun.wait_for_pause(7)
        mapped.close()
        # The kernel keeps the half-open ones for a while, and no listener can complete them.
        until_figure(daemon, 3, "syn_recv_unmatched")
        until_figure(daemon, 4, "syn_recv", **place)
        until_figure(daemon, 1, "accept_length", **place)


@pytest.mark.netns
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seen_coming", [True, False])
def test_beside_a_dual_stack_wildcard_the_first_has_the_ipv4_clients(
    order: tuple[str, str], *, seen_coming: bool
) -> None:
    with flood.Tun() as tun, ExitStack() as stack:
        start = partial(running, config=EAGER)
        daemon = stack.enter_context(start()) if seen_coming else None
        sockets = []
        for address in order:
            sockets.append(stack.enter_context(listening_sockets.tcp(address, reuse_port=True)))
            if daemon is not None:
                until_figure(daemon, 1, "sockets", address=SHOWN[address], port="8080")
        flood.syn_flood(tun, TUN_IPV4, 8080, 5)
        flood.syn_flood(tun, TUN_IPV6, 8080, 2)
        expected = {address: 5 * (address == order[0]) + 2 * (address == "::") for address in order}
        assert [reference.syn_recv_of(each) for each in sockets] == list(expected.values())
        counts = {SHOWN[address]: count for address, count in expected.items()}
        expect(daemon or stack.enter_context(start()), counts)


@pytest.mark.netns
@BOTH_METHODS
@pytest.mark.parametrize("order", ORDERS)
def test_beside_a_wildcard_of_ipv6_alone_every_ipv4_client_is_its_own(
    order: tuple[str, str], config: str
) -> None:
    with flood.Tun() as tun, ExitStack() as stack:
        for address in order:
            stack.enter_context(listening_sockets.tcp(address, v6only=address == "::"))
        daemon = stack.enter_context(running(config=config))
        flood.syn_flood(tun, TUN_IPV4, 8080, 5)
        flood.syn_flood(tun, TUN_IPV6, 8080, 2)
        expect(daemon, {"0.0.0.0": 5, "::": 2})


@pytest.mark.netns
def test_it_is_folded_with_listeners_of_ipv4_at_its_address() -> None:
    rule = "rules: [{name: transfers, match: {address: 127.0.0.1, port: 20000-20009}, fold: true}]\n"
    with ExitStack() as stack:
        for number in range(2):
            stack.enter_context(listening_sockets.tcp("::ffff:127.0.0.1", 20000 + number, backlog=4))
            stack.enter_context(listening_sockets.tcp("127.0.0.1", 20005 + number, backlog=6))
        daemon = stack.enter_context(running(config=EAGER + rule))
        until_figure(daemon, 4, "sockets", address="127.0.0.1", port="*")
        until_figure(daemon, 20, "accept_limit", address="127.0.0.1", port="*")
