"""Which client is served next while there is too little processor time for all; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from exporter.web.admission import Admission
from exporter.web.cpu_allowance import CpuAllowance
from tests.web.virtual_time import in_virtual_time, running_clock

TIMEOUT_SECONDS = 30.0
MAX_WAITING = 1000

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

    def drop(self) -> None:
        self._outcomes.append(f"dropped {self._name}")


def nothing_earned() -> CpuAllowance:
    """An account with what is there at first, and next to nothing later."""
    clock = running_clock()
    return CpuAllowance(lambda: 1e-6, clock.now, clock.cpu)


def exhausted() -> CpuAllowance:
    """An account in which less is earned in a pause than it takes to wake up."""
    allowance = nothing_earned()
    allowance.spend(100.0)
    return allowance


def outcomes(
    wait: Callable[[Admission, list[str]], int], max_wait_seconds: float = TIMEOUT_SECONDS
) -> list[str]:
    """What becomes of the clients that `wait` adds; it returns how many these are."""

    async def run() -> list[str]:
        admission, found = Admission(exhausted(), max_wait_seconds, MAX_WAITING), list[str]()
        expected = wait(admission, found)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while len(found) < expected:  # noqa: ASYNC110  (a list has no event)
                await asyncio.sleep(0.01)
        admission.close()
        return found

    return in_virtual_time(run())


def test_one_is_served_after_each_pause_even_where_to_wake_up_takes_all_that_was_earned() -> None:
    def wait(admission: Admission, found: list[str]) -> int:
        for name in ("first", "second"):
            admission.wait(Client("", name, found), idle_seconds=0.0)
        return 2

    assert outcomes(wait) == ["first", "second"]


def test_those_who_had_a_response_and_others_are_served_alternately() -> None:
    """Of the first the one that had asked nothing for the longest time."""

    def wait(admission: Admission, found: list[str]) -> int:
        admission.wait(Client("1", "often", found), idle_seconds=0.0)
        admission.wait_new(Client("2", "new", found), idle_seconds=None)
        admission.wait(Client("3", "first request", found), idle_seconds=None)
        for name, idle_seconds in (("each second", 0.6), ("each minute", 60.0), ("15 s", 15.0)):
            admission.wait(Client("1", name, found), idle_seconds=idle_seconds)
        return 6

    assert outcomes(wait) == ["each minute", "new", "first request", "15 s", "each second", "often"]


def test_addresses_in_rotation_and_the_newest_are_served_alternately() -> None:
    """Of each address the last client."""

    def wait(admission: Admission, found: list[str]) -> int:
        for peer, name in (("1", "1 first"), ("1", "1 second"), ("1", "1 third"), ("2", "2"), ("3", "3")):
            admission.wait_new(Client(peer, name, found), idle_seconds=None)
        return 5

    assert outcomes(wait) == ["3", "1 third", "2", "1 second", "1 first"]


def test_who_scrapes_on_new_connections_is_served_in_a_flood_from_any_number_of_addresses() -> None:
    async def run() -> list[str]:
        admission, found = Admission(exhausted(), TIMEOUT_SECONDS, MAX_WAITING), list[str]()
        admission.responded("scraper")
        await asyncio.sleep(1.0)
        for number in range(100):
            admission.wait_new(Client(str(number), f"flood {number}", found), idle_seconds=None)
            admission.responded(str(number))
            idle = admission.idle_seconds(str(number))
            admission.wait_new(Client(str(number), f"again {number}", found), idle_seconds=idle)
        idle = admission.idle_seconds("scraper")
        admission.wait_new(Client("scraper", "scraper", found), idle_seconds=idle)
        while len(found) < 2:  # noqa: ASYNC110  (a list has no event)
            await asyncio.sleep(0.01)
        admission.close()
        return found[:2]

    assert "scraper" in in_virtual_time(run())


def test_only_the_first_client_of_an_address_claims_that_it_has_asked_nothing() -> None:
    async def run() -> list[float | None]:
        admission = Admission(exhausted(), TIMEOUT_SECONDS, MAX_WAITING)
        before = admission.idle_seconds("1")
        admission.responded("1")
        admission.responded("2")
        at_once = admission.idle_seconds("2")
        await asyncio.sleep(1.0)
        return [before, at_once, admission.idle_seconds("1"), admission.idle_seconds("1")]

    before, at_once, first, second = in_virtual_time(run())
    assert (before, at_once, second) == (None, None, None)
    assert first is not None


def test_addresses_are_forgotten_so_that_memory_is_bounded() -> None:
    async def run() -> list[float | None]:
        admission = Admission(exhausted(), TIMEOUT_SECONDS, MAX_WAITING)
        for number in range(5000):
            admission.responded(str(number))
        await asyncio.sleep(1.0)
        return [admission.idle_seconds("0"), admission.idle_seconds("4999")]

    forgotten, kept = in_virtual_time(run())
    assert forgotten is None
    assert kept is not None


def test_a_new_client_that_waited_too_long_is_refused() -> None:
    def wait(admission: Admission, found: list[str]) -> int:
        admission.wait_new(Client("1", "new", found), idle_seconds=None)
        admission.wait(Client("", "repeated", found), idle_seconds=0.0)
        return 2

    assert outcomes(wait, max_wait_seconds=0.0) == ["not new", "repeated"]


def test_one_that_has_gone_takes_no_time_from_others() -> None:
    def wait(admission: Admission, found: list[str]) -> int:
        gone = [Client("1", "gone", found) for _ in range(2)]
        admission.wait(gone[0], idle_seconds=60.0)
        admission.wait_new(gone[1], idle_seconds=None)
        admission.wait(Client("1", "known", found), idle_seconds=0.0)
        for each in gone:
            admission.forget(each)
        return 1

    assert outcomes(wait) == ["known"]


def test_in_a_flood_nobody_is_told_and_the_first_is_dropped_when_too_many_wait() -> None:
    async def run() -> list[str]:
        admission, found = Admission(exhausted(), 0.0, 100), list[str]()
        for number in range(103):
            admission.wait_new(Client("1", str(number), found), idle_seconds=None)
        while len(found) < 5:  # noqa: ASYNC110  (a list has no event)
            await asyncio.sleep(0.01)
        assert admission.waiting == 98
        assert admission.drop_one()
        return found

    assert in_virtual_time(run()) == ["dropped 0", "dropped 1", "dropped 2", "102", "101", "dropped 3"]


def test_a_place_is_taken_from_who_asks_most_often_and_then_from_the_first_without_a_response() -> None:
    """Those who ask at intervals keep theirs, and those who are no more than a socket have none."""

    async def run() -> tuple[list[str], list[bool]]:
        admission, found = Admission(exhausted(), TIMEOUT_SECONDS, MAX_WAITING), list[str]()
        admission.wait_new(Client("1", "socket", found), idle_seconds=None)
        for name in ("first", "second"):
            admission.wait(Client("2", name, found), idle_seconds=None)
        for name, idle_seconds in (("often", 0.1), ("all the time", 0.0), ("rare", 15.0)):
            admission.wait(Client("3", name, found), idle_seconds=idle_seconds)
        return found, [admission.refuse_one() for _ in range(5)]

    found, refused = in_virtual_time(run())
    assert found == ["not all the time", "not often", "not first", "not second"]
    assert refused == [True, True, True, True, False]


def test_where_many_ask_at_intervals_a_place_is_taken_from_who_asks_most_often() -> None:
    async def run() -> tuple[list[str], list[bool]]:
        admission, found = Admission(exhausted(), TIMEOUT_SECONDS, MAX_WAITING), list[str]()
        for name, idle_seconds in (("15 s", 15.0), ("1 s", 1.0), ("minute", 60.0)):
            admission.wait(Client("1", name, found), idle_seconds=idle_seconds)
        admission.wait_new(Client("2", "socket", found), idle_seconds=1.0)
        return found, [admission.refuse_most_frequent(1) for _ in range(3)]

    assert in_virtual_time(run()) == (["not 1 s", "not 15 s"], [True, True, False])


def test_who_finds_no_place_waits_again() -> None:
    async def run() -> list[str]:
        admission, found = Admission(exhausted(), TIMEOUT_SECONDS, MAX_WAITING), list[str]()

        class WithoutPlace(Client):
            def serve(self) -> None:
                super().serve()
                if len(found) < 3:
                    admission.wait_new(self, idle_seconds=None)

        admission.wait_new(WithoutPlace("1", "again", found), idle_seconds=None)
        while len(found) < 3:  # noqa: ASYNC110  (a list has no event)
            await asyncio.sleep(0.01)
        return found

    assert in_virtual_time(run()) == ["again", "again", "again"]


def test_who_asks_at_intervals_is_admitted_though_others_have_used_up_all() -> None:
    """Such clients have a part of their own, so that many of them wait as well."""

    async def run() -> list[bool]:
        allowance = nothing_earned()
        admission = Admission(allowance, TIMEOUT_SECONDS, MAX_WAITING)
        allowance.spend(100.0)
        admitted = [admission.admit(idle_seconds=idle_seconds) for idle_seconds in (None, 0.1, 1.0)]
        return [*admitted, any(not admission.admit(idle_seconds=1.0) for _ in range(200))]

    assert in_virtual_time(run()) == [False, False, True, True]


def test_a_client_claims_nothing_while_another_of_its_address_waits() -> None:
    async def run() -> list[bool]:
        admission = Admission(exhausted(), TIMEOUT_SECONDS, MAX_WAITING)
        for peer in ("alone", "crowded"):
            admission.responded(peer)
        for _ in range(100):
            admission.wait_new(Client("crowded", "", []), idle_seconds=None)
        await asyncio.sleep(1.0)
        claims = [admission.idle_seconds(peer) is not None for peer in ("alone", "crowded")]
        admission.close()
        return claims

    assert in_virtual_time(run()) == [True, False]


def test_whoever_waits_at_the_end_is_refused() -> None:
    async def run() -> list[str]:
        admission, found = Admission(exhausted(), TIMEOUT_SECONDS, MAX_WAITING), list[str]()
        admission.wait_new(Client("1", "new", found), idle_seconds=None)
        admission.wait(Client("2", "rare", found), idle_seconds=15.0)
        admission.close()
        return found

    assert sorted(in_virtual_time(run())) == ["not new", "not rare"]
