"""Whether a password is the one of a user."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

# Of passwords that were wrong; those that were right are at most as many as there are users.
_MAX_WRONG: Final = 256
# How many wait to be compared, each with another password.
_MAX_WAITING: Final = 16
# What may be used at once after a quiet time, in the seconds in which it is earned.
_BURST_SECONDS: Final = 30.0
# More bytes have no effect in bcrypt, and are an error to the library.
_MAX_PASSWORD_BYTES: Final = 72

CheckHash = Callable[[bytes, bytes], bool]


class TooManyPasswordsError(Exception):
    """More passwords wait to be compared than can be."""


def check_hash(password: bytes, wanted: bytes) -> bool:
    """Return whether a bcrypt hash is that of a password. It takes long, that is its purpose."""
    import bcrypt  # noqa: PLC0415  (only where there are passwords)

    try:
        return bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], wanted)
    except ValueError:
        # A salt that is no multiple of bytes.
        return False


class Passwords:
    """Compares passwords, one after the other, in threads of their own. Used in one event loop.

    What was compared once is known. What has to be compared takes `share()` of one core on average, so that
    whoever guesses does not take the processor from the sampler. For a name that no user has the password is
    compared with the hash of some user, always the same for one name, so that its time tells nothing.
    """

    def __init__(
        self,
        share: Callable[[], float],
        check: CheckHash = check_hash,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._check = check
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        # Keys, by the user.
        self._right: dict[str, bytes] = {}
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: dict[bytes, asyncio.Task[bool]] = {}
        self._comparing = asyncio.Lock()
        # When what was used is earned.
        self._earned_at = clock()

    async def are_right(self, users: Mapping[str, bytes], user: str, password: bytes) -> bool:
        """Return whether it is the password of the user. Raises TooManyPasswordsError."""
        wanted = users.get(user)
        key = self._key(user, wanted or b"", password)
        if wanted is not None and hmac.compare_digest(self._right.get(user, b""), key):
            return True
        if key in self._wrong:
            self._wrong.move_to_end(key)
            return False
        comparing = self._waiting.get(key)
        if comparing is None:
            if len(self._waiting) >= _MAX_WAITING:
                raise TooManyPasswordsError
            compared = self._of_some_user(users, user) if wanted is None else wanted
            comparing = asyncio.get_running_loop().create_task(self._compare(compared, password))
            self._waiting[key] = comparing
            # The client may go before; it comes again, and is not to begin anew.
            comparing.add_done_callback(lambda done: self._remember(users, user, key, done))
        # The client may go; others may wait for the same.
        return await asyncio.shield(comparing) and wanted is not None

    def _remember(self, users: Mapping[str, bytes], user: str, key: bytes, done: asyncio.Task[bool]) -> None:
        """Keep what a comparison has told."""
        del self._waiting[key]
        if done.cancelled() or done.exception() is not None:
            return
        if done.result() and user in users:
            # Those of users that were removed are forgotten.
            self._right = {name: kept for name, kept in self._right.items() if name in users} | {user: key}
            return
        self._wrong[key] = None
        if len(self._wrong) > _MAX_WRONG:
            self._wrong.popitem(last=False)

    def _key(self, user: str, wanted: bytes, password: bytes) -> bytes:
        """Return what tells these three from others, and tells nobody what they are."""
        name = user.encode("utf-8", "surrogatepass")
        parts = b"".join(len(part).to_bytes(8) + part for part in (name, wanted, password))
        return hmac.digest(self._secret, parts, hashlib.sha256)

    def _of_some_user(self, users: Mapping[str, bytes], user: str) -> bytes:
        number = int.from_bytes(self._key(user, b"", b"")[:8])
        return sorted(users.values())[number % len(users)]

    async def _compare(self, wanted: bytes, password: bytes) -> bool:
        async with self._comparing:
            await asyncio.sleep(max(0.0, self._earned_at - _BURST_SECONDS - self._clock()))
            is_right, cpu_seconds = await _in_a_thread(lambda: self._check(password, wanted))
            self._earned_at = max(self._earned_at, self._clock()) + cpu_seconds / self._share()
            return is_right


async def _in_a_thread(compare: Callable[[], bool]) -> tuple[bool, float]:
    """Return the result and the processor time that it took, in seconds.

    The thread is one that does not keep the program from ending, however much a hash costs.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[bool, float]] = loop.create_future()

    def finish(is_right: bool, cpu_seconds: float) -> None:  # noqa: FBT001  (it is the result)
        if not done.done():
            done.set_result((is_right, cpu_seconds))

    def run() -> None:
        before = time.thread_time()
        is_right = compare()
        cpu_seconds = time.thread_time() - before
        try:
            loop.call_soon_threadsafe(finish, is_right, cpu_seconds)
        except RuntimeError:
            # The loop is closed: the program ends.
            return

    threading.Thread(target=run, name="password", daemon=True).start()
    return await done
