"""Which client is served next while there is too little processor time for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from exporter.web.admission import Admission
from exporter.web.cpu_allowance import CpuAllowance

TIMEOUT_SECONDS = 30.0

# Has clients wait, which note in the list what becomes of them, and returns how many.
AddClients = Callable[[Admission, list[str]], int]


class Client:
    """A client that notes what becomes of it."""

    def __init__(self, peer: str, name: str, outcomes: list[str]) -> None:
        self.peer = peer
        self.since = asyncio.get_running_loop().time()
        self._name = name
        self._outcomes = outcomes

    def serve(self) -> None:
        self._outcomes.append(self._name)

    def refuse(self) -> None:
        self._outcomes.append(f"not {self._name}")


def exhausted() -> CpuAllowance:
    """An account in which less is earned in a pause than it takes to wake up."""
    allowance = CpuAllowance(lambda: 1e-6)
    allowance.spend(100.0)
    return allowance


def outcomes(
    wait: Callable[[Admission, list[str]], int], max_wait_seconds: float = TIMEOUT_SECONDS
) -> list[str]:
    """What becomes of the clients that `wait` adds; it returns how many these are."""

    async def run() -> list[str]:
        admission, found = Admission(exhausted(), max_wait_seconds), list[str]()
        expected = wait(admission, found)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while len(found) < expected:  # noqa: ASYNC110  (a list has no event)
                await asyncio.sleep(0.01)
        admission.close()
        return found

    return asyncio.run(run())


def test_one_is_served_after_each_pause_even_where_to_wake_up_takes_all_that_was_earned() -> None:
    def wait(admission: Admission, found: list[str]) -> int:
        for name in ("first", "second"):
            admission.wait(Client("", name, found), idle_seconds=0.0)
        return 2

    assert outcomes(wait) == ["first", "second"]


def test_those_who_ask_now_and_then_come_first_and_those_who_ask_all_the_time_last() -> None:
    def wait(admission: Admission, found: list[str]) -> int:
        admission.wait(Client("", "repeated", found), idle_seconds=0.0)
        admission.wait_new(Client("10.0.0.1", "new", found))
        admission.wait(Client("", "first", found), idle_seconds=None)
        admission.wait(Client("", "rare", found), idle_seconds=15.0)
        return 4

    assert outcomes(wait) == ["rare", "first", "new", "repeated"]


def test_addresses_are_served_in_rotation_and_of_each_the_last_client() -> None:
    def wait(admission: Admission, found: list[str]) -> int:
        for peer, name in (("1", "1 first"), ("1", "1 second"), ("1", "1 third"), ("2", "2"), ("3", "3")):
            admission.wait_new(Client(peer, name, found))
        return 5

    assert outcomes(wait) == ["1 third", "2", "3", "1 second", "1 first"]


def test_a_new_client_that_waited_too_long_is_refused() -> None:
    def wait(admission: Admission, found: list[str]) -> int:
        admission.wait_new(Client("1", "new", found))
        admission.wait(Client("", "repeated", found), idle_seconds=0.0)
        return 2

    assert outcomes(wait, max_wait_seconds=0.0) == ["not new", "repeated"]


def test_whoever_waits_at_the_end_is_refused_and_the_address_with_most_clients_first() -> None:
    async def run() -> list[str]:
        admission, found = Admission(exhausted(), TIMEOUT_SECONDS), list[str]()
        for peer, name in (("1", "1"), ("2", "2 first"), ("2", "2 second")):
            admission.wait_new(Client(peer, name, found))
        assert admission.waiting == 3
        admission.close()
        assert admission.waiting == 0
        return found

    assert asyncio.run(run())[0] == "not 2 first"
