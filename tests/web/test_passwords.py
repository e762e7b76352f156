"""Passwords: compared once, then known; guesses neither tell who exists nor take the processor."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import TypeVar

import bcrypt
import pytest

from exporter.web.passwords import Passwords, TooManyPasswordsError, check_hash

T = TypeVar("T")
HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
USERS = {"prometheus": HASH}
PLENTY = 1000.0


class CountedChecks:
    """Counts what is compared with which hash; the password `secret` is that of each user."""

    def __init__(self) -> None:
        self.compared: list[tuple[bytes, bytes]] = []
        self.threads: set[str] = set()

    def __call__(self, password: bytes, wanted: bytes) -> bool:
        self.compared.append((password, wanted))
        self.threads.add(threading.current_thread().name)
        return password == b"secret"


def run(coroutine: Coroutine[None, None, T]) -> T:
    return asyncio.run(coroutine)


@pytest.mark.parametrize("version", [b"2a", b"2b", b"2y"])
def test_a_password_is_compared_with_its_hash(version: bytes) -> None:
    wanted = HASH.replace(b"2b", version, 1)
    assert check_hash(b"secret", wanted)
    assert not check_hash(b"Secret", wanted)
    assert not check_hash(b"", wanted)
    assert not check_hash(b"s\0", wanted)


def test_only_72_bytes_of_a_password_count() -> None:
    wanted = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))
    assert check_hash(b"x" * 100, wanted)
    assert not check_hash(b"x" * 71, wanted)


def test_what_was_compared_once_is_known() -> None:
    checks = CountedChecks()

    async def ask() -> list[bool]:
        passwords = Passwords(lambda: PLENTY, checks)
        tries = [("prometheus", b"secret"), ("prometheus", b"wrong"), ("nobody", b"secret")] * 3
        return [await passwords.are_right(USERS, *each) for each in tries]

    assert run(ask()) == [True, False, False] * 3
    assert len(checks.compared) == 3
    assert checks.threads == {"password"}


def test_another_hash_makes_a_known_password_unknown() -> None:
    checks = CountedChecks()

    async def ask() -> None:
        passwords = Passwords(lambda: PLENTY, checks)
        assert await passwords.are_right(USERS, "prometheus", b"secret")
        assert await passwords.are_right({"prometheus": b"another"}, "prometheus", b"secret")

    run(ask())
    assert [wanted for _, wanted in checks.compared] == [HASH, b"another"]


def test_of_a_user_that_was_removed_nothing_is_known() -> None:
    """So what is known is at most one password for each user."""
    checks = CountedChecks()

    async def ask() -> None:
        passwords = Passwords(lambda: PLENTY, checks)
        both = {**USERS, "other": b"hash"}
        assert await passwords.are_right(both, "other", b"secret")
        assert await passwords.are_right(USERS, "prometheus", b"secret")
        assert await passwords.are_right(both, "other", b"secret")
        assert await passwords.are_right(both, "prometheus", b"secret")

    run(ask())
    assert [wanted for _, wanted in checks.compared] == [b"hash", HASH, b"hash"]


def test_a_name_that_nobody_has_takes_the_same_work_and_is_never_let_in() -> None:
    users = {"a": b"hash of a", "b": b"hash of b"}
    checks = CountedChecks()

    async def ask() -> None:
        passwords = Passwords(lambda: PLENTY, checks)
        for number in range(20):
            for password in (b"secret", b"secrets"):
                assert not await passwords.are_right(users, f"nobody{number}", password)

    run(ask())
    assert len(checks.compared) == 40
    by_name = [{wanted for _, wanted in checks.compared[start : start + 2]} for start in range(0, 40, 2)]
    assert all(len(wanted) == 1 for wanted in by_name)
    assert set.union(*by_name) == set(users.values())


def test_wrong_passwords_do_not_push_the_right_one_out() -> None:
    checks = CountedChecks()

    async def ask() -> None:
        passwords = Passwords(lambda: PLENTY, checks)
        assert await passwords.are_right(USERS, "prometheus", b"secret")
        for number in range(600):
            assert not await passwords.are_right(USERS, f"user{number}", b"wrong")
        compared = len(checks.compared)
        assert await passwords.are_right(USERS, "prometheus", b"secret")
        assert len(checks.compared) == compared

    run(ask())


def test_the_same_password_is_compared_once_for_all_who_wait() -> None:
    checks = CountedChecks()

    async def ask() -> list[bool]:
        passwords = Passwords(lambda: PLENTY, checks)
        return await asyncio.gather(
            *(passwords.are_right(USERS, "prometheus", b"secret") for _ in range(100))
        )

    assert run(ask()) == [True] * 100
    assert len(checks.compared) == 1


def test_the_event_loop_goes_on_and_few_wait() -> None:
    release = threading.Event()

    def check(_password: bytes, _wanted: bytes) -> bool:
        return release.wait(20)

    async def ask() -> int:
        passwords = Passwords(lambda: PLENTY, check)
        guesses = [
            asyncio.create_task(passwords.are_right(USERS, "prometheus", str(number).encode()))
            for number in range(100)
        ]
        before = time.monotonic()
        await asyncio.sleep(0.05)
        assert time.monotonic() - before < 5
        release.set()
        results = await asyncio.gather(*guesses, return_exceptions=True)
        return sum(isinstance(result, TooManyPasswordsError) for result in results)

    assert run(ask()) == 84


def test_guesses_take_their_part_of_the_processor_and_no_more() -> None:
    """Each takes 20 ms here, and a fiftieth of one core is theirs after a burst."""

    def check(_password: bytes, _wanted: bytes) -> bool:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return False

    now = [0.0]

    async def ask() -> int:
        passwords = Passwords(lambda: 0.02, check, lambda: now[0])
        number = 0

        async def guess() -> None:
            nonlocal number
            while True:
                await passwords.are_right(USERS, "prometheus", str(number).encode())
                number += 1

        guessing = asyncio.create_task(guess())
        for _ in range(1500):
            await asyncio.sleep(0.001)
        guessing.cancel()
        return number

    # The burst is what is earned in 30 s, that is 0.6 s of processor time.
    assert run(ask()) <= 40


def test_a_client_that_goes_leaves_the_comparison_to_others() -> None:
    checks = CountedChecks()

    async def ask() -> bool:
        passwords = Passwords(lambda: PLENTY, checks)
        gone = asyncio.create_task(passwords.are_right(USERS, "prometheus", b"secret"))
        stays = asyncio.create_task(passwords.are_right(USERS, "prometheus", b"secret"))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert run(ask())
    assert len(checks.compared) == 1


def test_a_client_that_goes_while_its_password_is_compared_is_known_when_it_comes_again() -> None:
    """The deadline of a response may be shorter than the wait behind the guesses of others."""
    checks = CountedChecks()
    may_end = threading.Event()

    def check(password: bytes, wanted: bytes) -> bool:
        may_end.wait(60)
        return checks(password, wanted)

    async def ask() -> list[bool]:
        passwords = Passwords(lambda: PLENTY, check)
        for password in (b"secret", b"wrong"):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(passwords.are_right(USERS, "prometheus", password), 0.01)
        may_end.set()
        await asyncio.gather(*asyncio.all_tasks().difference({asyncio.current_task()}))
        return [await passwords.are_right(USERS, "prometheus", each) for each in (b"secret", b"wrong")]

    assert run(ask()) == [True, False]
    assert len(checks.compared) == 2
