"""Which listeners are asked about, and what is said of those that are not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.api.clients import MAX_LISTENERS
from exporter.api.listeners import Listeners
from exporter.api.query import ListenerQuery, QueryError
from exporter.kernel.errors import KernelError
from tests.kernel.datagrams import ESTABLISHED, datagram, done, error, inet_row, tcp_info, with_peer
from tests.kernel.fake_kernel import FakeKernel
from tests.listeners.sockets import tcp, unix
from tests.sampling.simulation import Simulation

FIRST_PORT = 8000


def simulation(*lengths: int, syn_recv: bool = True) -> Simulation:
    """Listeners of 127.0.0.1 at one port after the other, in whose queues so many connections wait."""
    made = Simulation()
    for number, length in enumerate(lengths):
        made.kernel.tcp.open(tcp(number + 1, "127.0.0.1", FIRST_PORT + number), length=length)
    if not syn_recv:
        made.kernel.syn_recv_dump.error = KernelError("cannot walk", "EIO")
    made.tick(30)
    return made


def asked(made: Simulation, kernel: FakeKernel, query: str = "clients=10") -> list[dict[str, Any]]:
    """The listeners of the document, as a client reads it; the kernel answers the dumps that this needs."""
    made.kernel.sockets = kernel
    document = Listeners(made.sampler, made.clock.clock()).document(ListenerQuery.parse(query))
    found: list[dict[str, Any]] = json.loads(json.dumps(document))["listeners"]
    return found


def waits(cookie: int, client: str, port: int = FIRST_PORT) -> bytes:
    row = inet_row(cookie, port=port, state=ESTABLISHED, inode=0, attributes=tcp_info(1500))
    return with_peer(row, client)


def answering(*rows: bytes) -> FakeKernel:
    """A kernel with these connections in accept queues, and none half-open."""
    # Both dumps come over one socket.
    return FakeKernel(done(), *([datagram(rows)] if rows else []), done())


def test_each_listener_has_its_own_clients() -> None:
    rows = (waits(1, "192.0.2.1"), waits(2, "192.0.2.2", FIRST_PORT + 1), waits(3, "192.0.2.1"))
    kernel = answering(*rows)
    found = asked(simulation(2, 1, 0), kernel)
    by_port = {each["port"]: each["clients"] for each in found}
    assert [each["address"] for each in by_port["8000"]["addresses"]] == ["192.0.2.1"]
    assert (by_port["8000"]["waiting"], by_port["8000"]["unseen"]) == (2, 0)
    assert [each["address"] for each in by_port["8001"]["addresses"]] == ["192.0.2.2"]
    assert by_port["8002"] == {
        "waiting": 0,
        "syn_recv": 0,
        "unseen": 0,
        "addresses": [],
        "networks": [],
        "omitted": {"addresses": 0, "networks": 0},
        "shared": False,
        "complete": True,
    }
    assert kernel.all_closed()


def test_without_being_asked_no_address_is_given() -> None:
    kernel = answering(waits(1, "192.0.2.1"))
    (listener,) = asked(simulation(1), kernel, "port=8000")
    assert "clients" not in listener
    assert kernel.requests == []


def test_where_nobody_waits_the_kernel_is_not_asked() -> None:
    """It would walk over all connections of the host."""
    kernel = answering()
    asked(simulation(0, 0), kernel)
    assert kernel.requests == []


def test_where_half_open_connections_are_not_known_it_is() -> None:
    kernel = answering()
    (listener,) = asked(simulation(0, syn_recv=False), kernel)
    assert listener["syn_recv"] is None
    assert len(kernel.requests) == 2


def test_where_the_kernel_refuses_clients_are_not_known() -> None:
    found = asked(simulation(1, 0), FakeKernel(error(-1)))
    by_port = {each["port"]: each["clients"] for each in found}
    assert list(by_port["8000"]) == ["error"]
    assert "EPERM" in by_port["8000"]["error"]
    assert by_port["8001"]["waiting"] == 0


def test_clients_of_a_unix_socket_have_no_address() -> None:
    made = simulation()
    made.kernel.unix.open(unix(2, b"/run/app.sock"), length=1)
    made.tick(30)
    (listener,) = asked(made, answering())
    assert listener["clients"] == {"error": "clients of a unix socket have no address"}


def test_connections_of_a_listener_that_was_not_asked_for_are_nobodys() -> None:
    kernel = answering(waits(1, "192.0.2.1"), waits(2, "192.0.2.2", port=9999))
    (listener,) = asked(simulation(1, 1), kernel, "clients=5&port=8000")
    assert listener["clients"]["waiting"] == 1


def test_too_many_listeners_are_a_wrong_request() -> None:
    made = simulation(*[1] * (MAX_LISTENERS + 1), *[0] * 5)
    with pytest.raises(QueryError) as caught:
        asked(made, answering())
    assert str(caught.value) == (
        "clients: connections wait at 21 listeners, and clients are listed for 20 at most;"
        " choose some by port, address, process or netns"
    )
    # Those in whose queues nobody waits do not count.
    assert len(asked(made, answering(), "clients=1&port=800?")) == 10
    assert asked(simulation(*[1] * MAX_LISTENERS), answering(waits(1, "192.0.2.1")))
